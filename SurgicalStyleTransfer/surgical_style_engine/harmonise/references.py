"""The scans of a reference: a file, or all volumes in a folder tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import DICOM_ENDINGS, ending_of, list_volumes

_RESULTS, _BEGINNING = "manifest.csv", b"volume,state,"  # what a run over a cohort leaves beside its results


def references_below(root: Path) -> list[Path]:
    """The file itself, or the volumes in a folder and the folders in it.

    A folder of DICOM files is one volume. Hidden folders are left out, and so are those with results of a cohort.

    Args:
        root: A volume's file or DICOM folder, or a folder of any depth.

    Raises:
        InputError: Where nothing is found, or DICOM files lie beside other volumes.
    """
    if root.is_file():
        return [root]
    volumes = [volume for folder in _folders(root, root, set()) for volume in _volumes_in(folder)]
    if not volumes:
        raise InputError(f"The folder {root} holds no reference volume.")
    return volumes


def _volumes_in(folder: Path) -> list[Path]:
    """The files directly in a folder; of a DICOM series the folder."""
    volumes = list_volumes(folder)
    series = [path for path in volumes if ending_of(path) in DICOM_ENDINGS]
    if series and len(series) < len(volumes):
        raise InputError(f"{folder} holds DICOM files beside other volumes; put them into folders of their own.")
    return [folder] if series else volumes


def _folders(folder: Path, root: Path, known: set[Path]) -> Iterator[Path]:
    """A folder and those in it by name, each once also where links lead back."""
    own = folder.resolve()
    if own in known or folder != root and _holds_results(folder):
        return
    known.add(own)
    yield folder
    try:
        inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be read: {error.strerror}.") from None
    for path in inner:
        yield from _folders(path, root, known)


def _holds_results(folder: Path) -> bool:
    try:
        with (folder / _RESULTS).open("rb") as stream:
            return stream.read(len(_BEGINNING)) == _BEGINNING
    except OSError:
        return False
