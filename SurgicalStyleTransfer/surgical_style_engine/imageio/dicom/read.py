"""DICOM: one series of a folder, or a single file, as a volume. Nothing that names a patient is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

from .claims import check_claims
from .header import SliceHeader, frames_of, is_segmentation, read_header
from .select import select_series
from .slice_grid import slice_distance
from .tags import PLACED_MODALITIES
from .values import voxels


def read_dicom_file(path: Path) -> Volume:
    """Read a single DICOM file: one slice, a radiograph, or a multi-frame volume.

    Frames are put in order as the slices of a series are.

    Args:
        path: The file.

    Returns:
        The volume, with harmless tags.

    Raises:
        InputError: For damaged files, segmentations, and a slice whose place in the patient is not stated.
    """
    if is_segmentation(path):
        raise InputError(f"The file {path} is a DICOM segmentation, which cannot be read; save it as .nrrd or .nii.gz.")
    header = read_header(str(path))
    if header is None:
        raise InputError(f"The file {path} cannot be read as a DICOM image: it is damaged or holds no image.")
    return _volume([header], f"The file {path}")


def read_dicom_folder(folder: Path, series: str | None = None) -> Volume:
    """Read the DICOM series directly in a folder, its slices ordered along their normal.

    Args:
        folder: The folder.
        series: The UID that picks one of several series.

    Returns:
        The volume, with harmless tags. Slices that are slightly uneven or tilted, that differ by less than half a pixel
        in orientation or pixel spacing, or have a frame of reference each, give metadata["Warning"]. Slices of
        different pixel types, or scaled differently, get a type that holds all their values.

    Raises:
        InputError: For no series, several of them (listed with modality, number of files and a name), damaged files,
            missing slices, several images at one place (time points, echoes), slices of different size, orientation,
            pixel spacing, frame of reference or patient, slices whose place in the patient is not stated, and
            segmentations.
    """
    return read_slices(select_series(folder, series), f"The DICOM series in {folder}")


def read_slices(names: Sequence[str], what: str) -> Volume:
    """Read the files of one series, in any order.

    Args:
        names: The files.
        what: Begins the sentences of InputError.

    Returns:
        The volume, its slices in order of their place.

    Raises:
        InputError: As ``read_dicom_folder``.
    """
    headers = []
    for name in names:
        if is_segmentation(name):
            raise InputError(f"{what} is a segmentation, which cannot be read; save it as .nrrd or .nii.gz.")
        header = read_header(name)
        if header is None:
            raise InputError(f"{what} has a damaged file, {Path(name).name}.")
        headers.append(header)
    return _volume(headers, what)


def _volume(files: list[SliceHeader], what: str) -> Volume:
    """The slices or frames of files, in order of their place; what: begins the sentences of InputError."""
    if any(header.is_mosaic for header in files):
        raise InputError(f"{what} has mosaics, images that are many slices side by side, which make no volume.")
    for header in files:
        check_claims(header.file, what)
    _check_one_patient(files, what)
    headers = []
    for header in files:
        headers += frames_of(header, what) if header.has_frames else [header]
    first = headers[0]
    is_picture = len(headers) == 1 and first.is_picture
    if not is_picture:
        _check_places(headers, what)
    if len(headers) == 1:
        array = voxels(headers, what)
        return Volume(array, first.spacing, first.origin, first.direction, is_picture, first.tags)
    if any(h.size[:2] != first.size[:2] or h.components != first.components for h in headers):
        raise InputError(f"{what} has images of different size, which make no single volume.")
    tags = dict(first.tags)
    headers.sort(key=lambda h: float(h.position @ first.direction[:, 2]))
    first = headers[0]
    distance, warning = slice_distance(headers, what)
    if warning:
        tags["Warning"] = warning
    spacing = (first.spacing[0], first.spacing[1], distance)
    return Volume(voxels(headers, what), spacing, first.origin, first.direction, False, tags)


def _check_one_patient(files: list[SliceHeader], what: str) -> None:
    """Raise InputError for files of several patients, naming no one: by identifiers, by names where one has none."""
    identifiers, names = ({header.whose[part] for header in files} for part in (0, 1))
    if len(identifiers - {""}) > 1 or "" in identifiers and len(names - {""}) > 1:
        raise InputError(f"{what} has images of several patients, which make no single volume.")


def _check_places(headers: list[SliceHeader], what: str) -> None:
    """Radiographs and other pictures need no place; what is to be a volume does, or it would lie anywhere, in any size.

    Raises InputError.
    """
    is_placed = headers[0].tags.get("Modality") in PLACED_MODALITIES
    if not is_placed and (len(headers) == 1 or all(header.is_picture for header in headers)):
        return
    for header in headers:
        if header.lacks:
            raise InputError(f"{what} has no usable {header.lacks} in {Path(header.file).name}.")
