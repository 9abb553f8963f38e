"""Model folders that come as a zip archive or as a copied folder: nothing is trusted before it is checked."""

from __future__ import annotations

import re
import shutil
import stat
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from surgical_style_engine.common.atomic_write import put_folder
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.models.importers.onnx import read_onnx

from .folder import CARD_NAME, ModelCard, StyleModel, load_model, read_card, verify_model, write_card

LARGEST_UNPACKED = 1 << 30  # bytes
MOST_FILES = 200
# A model folder holds a card, weights, text and pictures; anything else has no business in it.
SUFFIXES = {".json", ".md", ".txt", ".yaml", ".csv", ".safetensors", ".onnx", ".png", ".jpg", ".jpeg", ".svg"}
PLAIN_NAMES = {"LICENSE", "LICENCE"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # as in the card
IGNORED = {"__MACOSX", ".DS_Store"}  # what one system's archiver adds


def is_model_archive(path: Path) -> bool:
    """Whether a file is a zip archive with a model card in it. PyTorch's own files are zip archives too."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.replace("\\", "/").rsplit("/", 1)[-1] == CARD_NAME for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def import_archive(source: Path, models: Path, name: str = "", overwrite: bool = False) -> Path:
    """Unpack a zip archive of one model folder into ``models/<name>``; the card's name unless given.

    Raises InputError for absolute paths, "..", links, encrypted or foreign files, more than 1 GB unpacked, and for a
    model that ``verify_model`` or its architecture refuses. Nothing is left behind then.
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
        return _move_in(staging, models, name, overwrite)


def import_folder(source: Path, models: Path, name: str = "", overwrite: bool = False) -> Path:
    """Copy a model folder into ``models/<name>``; as ``import_archive``."""
    card = verify_model(source)
    with _staging(models) as staging:
        for file in (CARD_NAME, card.weights.file, "README.md"):
            if (source / file).is_file():
                shutil.copyfile(source / file, staging / file)
        return _move_in(staging, models, name, overwrite)


def _checked_members(archive: zipfile.ZipFile, source: Path) -> dict[zipfile.ZipInfo, PurePosixPath]:
    """The files of an archive and their safe relative paths."""
    members = {}
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        unsafe = "\\" in info.filename or "\0" in info.filename or re.match("[A-Za-z]:", info.filename)
        if unsafe or path.is_absolute() or ".." in path.parts:
            raise InputError(f"The archive {source} holds an unsafe path: {info.filename!r}.")
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
    """A hidden folder beside the models, on the same disk, deleted at the end. Raises StyleTransferError if the disk
    does not take it."""
    staging = Path(models) / f".import.{uuid.uuid4().hex[:8]}"
    try:
        staging.mkdir(parents=True)
        yield staging
    except OSError as error:
        raise StyleTransferError(f"The model cannot be written to {models}: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move_in(staging: Path, models: Path, name: str, overwrite: bool) -> Path:
    card = read_card(staging)
    if name and name != card.name:
        card = ModelCard.model_validate(card.model_dump() | {"name": check_name(name)})
        write_card(staging, card)
    model = load_model(staging)  # checks the digest of the weights
    check_weights(model)
    folder = Path(models) / card.name
    if folder.exists() and not overwrite:
        raise InputError(f"There is a model {card.name} in {models} already.")
    put_folder(staging, folder)
    return folder


def check_weights(model: StyleModel) -> None:
    """Raise InputError unless the weights are what the card says: a network that fits them, or a style picture."""
    from surgical_style_engine.models.importers.picture import is_style_image, load_picture, settings_of

    if is_style_image(model.card):
        settings_of(model.card)
        load_picture(model)
    elif model.card.weights.file == "weights.safetensors":
        model.check_weights()
    else:
        read_onnx(model.weights_path)


def check_name(name: str) -> str:
    """The name itself if it can be a model's. Raises InputError."""
    if not NAME.fullmatch(name):
        raise InputError(f"'{name}' cannot be a model's name; use letters, digits, '.', '-' and '_', at most 64.")
    return name
