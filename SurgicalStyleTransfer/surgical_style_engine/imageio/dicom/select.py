"""Which files of a folder make up a DICOM series."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import DICOM_ENDINGS, ending_of, is_dicom
from surgical_style_engine.imageio.gate.elements import claims_too_much, with_little_memory
from surgical_style_engine.imageio.gate.regular import check_no_holes, is_regular
from surgical_style_engine.imageio.itk import silent_itk

from .claims import check_claims
from .header import read_header

_LONGEST_HEADER = 16 << 20  # bytes before the pixels


def select_series(folder: Path, series: str | None = None) -> tuple[str, ...]:
    """Choose the series of images that lies directly in a folder.

    Args:
        folder: Where to look.
        series: The UID that picks one of several.

    Returns:
        The names of its files, in GDCM's order.

    Raises:
        InputError: For no series of images, several of them (listed with modality, number of files and a name), a
            UID that is not there, and files of the series that are cut short.
    """
    files = _listed(folder)
    # Reports, contours and registrations are DICOM series without pixels.
    firsts = {uid: read_header(names[0]) for uid, names in files.items()}
    images = {uid: first for uid, first in firsts.items() if first is not None}
    if not images:
        raise InputError(f"The folder {folder} holds no DICOM images that can be read.")
    if series is None and len(images) > 1:
        listed = "; ".join(
            f"{first.tags.get('Modality', 'no modality')}, {len(files[uid])} "
            f"{'file' if len(files[uid]) == 1 else 'files'} such as {Path(files[uid][0]).name}"
            for uid, first in images.items()
        )
        raise InputError(
            f"The folder {folder} holds {len(images)} series ({listed}); choose one by its UID, or put "
            "it into a folder of its own."
        )
    chosen = next(iter(images)) if series is None else series
    if chosen not in images:
        raise InputError(f"The folder {folder} holds no image series of that UID.")
    _refuse_lost_files(folder, chosen, {Path(name).name for names in files.values() for name in names})
    return files[chosen]


def files_of_all_series(folder: Path) -> list[str]:
    """Return all files that make up DICOM series in a folder, as reading finds them."""
    with silent_itk():
        return [name for names in _listed(folder).values() for name in names]


def _listed(folder: Path) -> dict[str, tuple[str, ...]]:
    """The names of files by series, as GDCM lists them; InputError for a file at which it fails."""
    import SimpleITK as sitk

    for path in folder.iterdir():
        if is_regular(path):
            check_no_holes(path, path.stat())  # GDCM looks through all files
            if claims_too_much(path):
                raise InputError(f"The folder {folder} has a DICOM file that cannot be read.")
    reader = sitk.ImageSeriesReader
    try:
        with contextlib.ExitStack() as stack:
            for path in filter(is_regular, folder.iterdir()):
                stack.enter_context(with_little_memory(path))
            place = str(stack.enter_context(_files_alone(folder)))
            uids = reader.GetGDCMSeriesIDs(place)
            listed = {uid: reader.GetGDCMSeriesFileNames(place, uid) for uid in uids}
            return {uid: tuple(str(folder / Path(name).name) for name in names) for uid, names in listed.items()}
    except (RuntimeError, MemoryError):
        for path in sorted(folder.iterdir()):
            if is_dicom(path):
                check_claims(str(path), f"The folder {folder}")
        raise InputError(f"The folder {folder} has a DICOM file that cannot be read.") from None


@contextlib.contextmanager
def _files_alone(folder: Path) -> Iterator[Path]:
    """The folder; or, where something in it is neither file nor folder, another one with links to its files.

    GDCM takes nothing more of a folder from the first such thing on: a pipe, a device, a link to nothing.
    """
    paths = list(folder.iterdir())
    if all(is_regular(path) or os.path.isdir(path) for path in paths):
        yield folder
        return
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        try:
            for path in filter(is_regular, paths):
                (place / path.name).symlink_to(path.absolute())
        except OSError:  # Windows permits links to few
            place = folder
        yield place


def _refuse_lost_files(folder: Path, series: str, listed: set[str]) -> None:
    """GDCM leaves truncated images out of their series without a word, so that a volume would just be shorter."""
    for path in sorted(folder.iterdir()):
        if path.name in listed:
            continue
        if path.is_symlink() and not path.exists() and ending_of(path) in DICOM_ENDINGS:
            raise InputError(f"The folder {folder} has a link to no file among its DICOM files, {path.name}.")
        if not is_dicom(path):
            continue
        with path.open("rb") as stream:
            data = stream.read(_LONGEST_HEADER)
        # Only images have Rows (0028,0010), in explicit or implicit notation; reports and contours have none.
        if series.encode() in data and (b"\x28\x00\x10\x00US\x02\x00" in data or b"\x28\x00\x10\x00\x02" in data):
            raise InputError(f"The DICOM series in {folder} has a damaged or truncated file, {path.name}.")
