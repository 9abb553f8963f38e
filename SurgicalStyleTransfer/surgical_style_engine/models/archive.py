"""Model folders that come as a zip archive or as a copied folder: nothing is trusted before it is checked."""

from __future__ import annotations

import errno
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from surgical_style_engine.common.atomic_write import beside, put_folder
from surgical_style_engine.common.plain_reasons import shown
from surgical_style_engine.errors import InputError, StyleTransferError

from .calibration import CALIBRATION_NAME
from .card import CARD_NAME, ModelCard, read_card, write_card
from .folder import load_model, verify_model
from .lesion_summary import PICTURE_NAME
from .names import check_free_name, check_name
from .verify import check_weights

LARGEST_UNPACKED = 1 << 30  # bytes
MOST_FILES, LONGEST_NAME = 200, 200
# A model folder holds a card, weights, text and pictures; anything else has no business in it.
SUFFIXES = {".json", ".md", ".txt", ".yaml", ".csv", ".safetensors", ".onnx", ".png", ".jpg", ".jpeg", ".svg"}
PLAIN_NAMES = {"LICENSE", "LICENCE"}
IGNORED = {"__MACOSX", ".DS_Store"}  # what one system's archiver adds


def is_model_archive(path: Path) -> bool:
    """Whether a file is a zip archive with a model card in it. PyTorch's own files are zip archives too."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.replace("\\", "/").rsplit("/", 1)[-1] == CARD_NAME for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def import_archive(source: Path, models: Path, name: str = "", overwrite: bool = False) -> Path:
    """Unpack a zip archive of one model folder into ``models/<name>``.

    Args:
        source: The archive.
        models: The folder of models; made if need be.
        name: The model's name from now on; the card's if empty.
        overwrite: Whether a model of that name is replaced.

    Returns:
        The model's folder.

    Raises:
        InputError: For absolute paths, "..", links, encrypted or foreign files, more than 1 GB unpacked, and for a
            model that ``verify_model`` or its architecture refuses. Nothing is left behind then.
        StyleTransferError: If it cannot be written.
    """
    with _staging(models) as staging:
        try:
            with zipfile.ZipFile(source) as archive:
                members = _checked_members(archive, source)
                cards = [path for path in members.values() if path.name == CARD_NAME]
                if len(cards) != 1:
                    raise InputError(f"The archive {source} holds {len(cards)} model cards; it must hold one.")
                top = cards[0].parent
                for info, path in members.items():
                    if not path.is_relative_to(top):
                        raise InputError(f"The archive {source} holds {path} outside of the model's folder {top}.")
                    target = staging / path.relative_to(top)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(info) as packed, target.open("xb") as plain:
                        shutil.copyfileobj(packed, plain, 1 << 20)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise InputError(f"The archive {source} cannot be unpacked: {str(error).rstrip('.')}.") from None
        except FileExistsError:
            raise InputError(f"The archive {source} holds a file twice.") from None
        except OSError as error:
            if error.errno != errno.EINVAL:  # no place in a file that its directory could mean
                raise
            raise InputError(f"The archive {source} cannot be unpacked: its directory is damaged.") from None
        return _move_in(staging, models, name, overwrite)


def import_folder(source: Path, models: Path, name: str = "", overwrite: bool = False) -> Path:
    """Copy a model folder into ``models/<name>``; arguments, result and errors as of ``import_archive``."""
    card = verify_model(source)
    with _staging(models) as staging:
        for file in (CARD_NAME, card.stored.file, "README.md", PICTURE_NAME, CALIBRATION_NAME):
            if (source / file).is_file():
                shutil.copyfile(source / file, staging / file)
        return _move_in(staging, models, name, overwrite)


def _checked_members(archive: zipfile.ZipFile, source: Path) -> dict[zipfile.ZipInfo, PurePosixPath]:
    """The files of an archive and their safe relative paths."""
    members: dict[zipfile.ZipInfo, PurePosixPath] = {}
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        unsafe = "\\" in info.filename or "\0" in info.filename or len(info.filename) > LONGEST_NAME
        unsafe = unsafe or re.match("[A-Za-z]:", info.filename) is not None
        if unsafe or path.is_absolute() or ".." in path.parts:
            raise InputError(f"The archive {source} holds an unsafe path: '{shown(ascii(info.filename)[1:-1])}'.")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError(f"The archive {source} holds a link or special file: {info.filename!r}.")
        if info.is_dir() or IGNORED.intersection(path.parts) or path.name.startswith("._"):
            continue
        if path.suffix.lower() not in SUFFIXES and path.name not in PLAIN_NAMES:
            raise InputError(f"The archive {source} holds {info.filename!r}, which is no part of a model folder.")
        members[info] = path
    if len(members) > MOST_FILES:
        raise InputError(f"The archive {source} holds {len(members)} files; a model folder has a handful.")
    # zipfile never unpacks more of a member than the size stated here.
    if sum(info.file_size for info in members) > LARGEST_UNPACKED:
        raise InputError(f"The archive {source} unpacks to more than 1 GB.")
    return members


@contextmanager
def _staging(models: Path) -> Iterator[Path]:
    """A hidden folder beside the models, on the same disk, deleted at the end.

    Raises StyleTransferError if the disk does not take it.
    """
    try:
        with beside(Path(models) / "model") as staging:
            yield staging
    except OSError as error:
        raise StyleTransferError(f"The model cannot be written to {models}: {error.strerror or error}.") from None


def _move_in(staging: Path, models: Path, name: str, overwrite: bool) -> Path:
    """Check the model in a staging folder, and give the folder its final name."""
    card = read_card(staging)
    if name and name != card.name:
        card = ModelCard.model_validate(card.model_dump() | {"name": check_name(name)})
        write_card(staging, card)
    check_free_name(card.name, models)
    model = load_model(staging)  # checks the digest of the weights
    check_weights(model)
    folder = Path(models) / card.name
    if folder.exists() and not overwrite:
        raise InputError(f"There is a model {card.name} in {models} already.")
    put_folder(staging, folder)
    return folder
