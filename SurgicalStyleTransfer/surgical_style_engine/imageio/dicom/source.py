"""The DICOM headers of the series that an image was made of, slice by slice in the volume's order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import is_dicom
from surgical_style_engine.volumes.volume import Volume

from .select import files_of_all_series
from .silence import failures, silent_pydicom
from .tags import COUNT_OF_NUMBERS, NEEDED, NEEDED_OF_RADIOGRAPHS, ONE_A_SERIES, RADIOGRAPHS
from .target import class_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@dataclass(frozen=True)
class SourceSlice:
    """A file's tags without its pixels.

    Attributes:
        header: The tags.
        raw: Its elements by tag as they were read, text still bytes.
    """

    header: Dataset
    raw: dict[Any, Any]

    @property
    def position(self) -> np.ndarray:
        """(3,) mm LPS of the first pixel's centre."""
        return np.array([float(value) for value in self.header.ImagePositionPatient])


@dataclass(frozen=True)
class SourceSeries:
    """The files of a series, in the order of the volume's slices; or a radiograph's one file."""

    slices: list[SourceSlice]
    is_radiograph: bool = False


class HasModality(Protocol):
    """Whatever states a modality: a ``DicomTarget`` or a model's domain."""

    @property
    def modality(self) -> str:
        """Such as "MR"."""
        ...


def open_series(folder: Path, volume: Volume, target: HasModality | None = None) -> SourceSeries:
    """Find the headers that belong to the slices of a volume, paired by position.

    Args:
        folder: Of the series; a radiograph (CR, DX) may also be given by its file.
        volume: As ``read_volume(folder)`` gave it.
        target: The domain that is to be written; radiographs become radiographs.

    Returns:
        The headers, in the order of the volume's slices.

    Raises:
        InputError: With one sentence where a series cannot be derived from them: no folder, multi-frame, other pictures
            without a place in the patient, missing or unreadable tags, several studies or frames of reference in one
            series.
    """
    folder = Path(folder)
    what = f"The DICOM series in {folder}"
    if volume.is_2d and target is not None and class_of(target.modality) != "CR":
        raise InputError(
            f"{what} is a plane picture without a place in the patient, which DICOM output of {target.modality} needs."
        )
    if volume.is_2d and (is_dicom(folder) or folder.is_dir()):
        return _open_radiograph(folder, volume)
    if not folder.is_dir():
        raise InputError(f"DICOM output needs a folder with a DICOM series as input, and {folder} is none.")
    slices = []
    for name in files_of_all_series(folder):
        with silent_pydicom():
            source = _read_header(name)
            if source is None:
                continue
            if _is_multi_frame(source.header, what) or "PerFrameFunctionalGroupsSequence" in source.header:
                raise InputError(f"{what} is multi-frame; DICOM output is made of one file a slice.")
            if (tag := _unusable_tag(source.header)) is not None:
                raise InputError(f"{what} has no usable {tag} in {Path(name).name}, which DICOM output needs.")
        slices.append(source)
    if not slices:
        raise InputError(f"The folder {folder} holds no DICOM images that can be read.")
    for keyword in ONE_A_SERIES:
        if len({str(source.header[keyword].value) for source in slices}) > 1:
            raise InputError(f"{what} has files with different {keyword}, which make no single series.")
    return SourceSeries(_in_order_of(volume, slices, what))


def is_radiograph(path: Path) -> bool:
    """Whether a file is a DICOM radiograph (CR, DX), by its header."""
    if not is_dicom(path):
        return False
    with silent_pydicom():
        source = _read_header(str(path))
        return source is not None and str(source.header.get("Modality", "")).strip().upper() in RADIOGRAPHS


def _open_radiograph(path: Path, volume: Volume) -> SourceSeries:
    """The one file of a radiograph, or of a folder that holds one. Raises InputError."""
    files = [str(path)] if path.is_file() else files_of_all_series(path)
    with silent_pydicom():
        images = [source for source in map(_read_header, files) if source is not None]
        if len(images) != 1 or str(images[0].header.get("Modality", "")).strip().upper() not in RADIOGRAPHS:
            raise InputError(
                f"The DICOM picture {path} is no single radiograph (CR or DX), and has no place in the patient, which "
                "DICOM output needs."
            )
        header = images[0].header
        if _is_multi_frame(header, f"The radiograph {path}"):
            raise InputError(f"The radiograph {path} is multi-frame; DICOM output is made of single frames.")
        for keyword in NEEDED_OF_RADIOGRAPHS:
            if header.get(keyword) in (None, ""):
                raise InputError(f"The radiograph {path} has no usable {keyword}, which DICOM output needs.")
        if (header.Columns, header.Rows) != volume.size[:2]:
            raise InputError(f"The radiograph {path} has another size than its header says.")
    return SourceSeries(images, is_radiograph=True)


def _read_header(name: str) -> SourceSlice | None:
    """A file's tags before its pixels; None for what is no image (contours, reports)."""
    import pydicom

    try:
        # force: old files without DICOM's mark at byte 128, which the reader takes too.
        header = pydicom.dcmread(name, stop_before_pixels=True, force=True)
    except failures():
        return None
    # Looking at an element decodes it in its place.
    return SourceSlice(header, {tag: header.get_item(tag) for tag in header.keys()}) if "Rows" in header else None


def _is_multi_frame(header: Dataset, what: str) -> bool:
    try:
        return int(header.get("NumberOfFrames") or 1) > 1
    except failures():
        raise InputError(f"{what} has no usable NumberOfFrames, which DICOM output needs.") from None


def _unusable_tag(header: Dataset) -> str | None:
    """The first of the tags without which no series can be derived that is missing or not what it should be."""
    for keyword in NEEDED:
        try:
            value = header.get(keyword)
            numbers = [float(number) for number in value or ()] if keyword in COUNT_OF_NUMBERS else []
        except (ValueError, TypeError):
            return keyword
        if value in (None, "") or len(numbers) != COUNT_OF_NUMBERS.get(keyword, 0) or not np.isfinite(numbers).all():
            return keyword
    return None


def _in_order_of(volume: Volume, slices: list[SourceSlice], what: str) -> list[SourceSlice]:
    """Sorted along the normal, as the volume's slices are; InputError unless both are one and the same series."""
    axes = np.array([float(value) for value in slices[0].header.ImageOrientationPatient]).reshape(2, 3)
    normal = np.cross(*axes)
    slices = sorted(slices, key=lambda source: float(source.position @ normal))
    count, depth = volume.size[2], volume.spacing[2] * (volume.size[2] - 1)
    if (
        len(slices) != count
        or any((source.header.Columns, source.header.Rows) != volume.size[:2] for source in slices)
        or not np.allclose([*axes, normal], np.asarray(volume.direction).T, atol=1e-3)
        or not np.allclose(slices[0].position, volume.origin, atol=0.01)
        # In between, uneven slices may lie off the grid; their order is certain all the same.
        or not math.isclose(float((slices[-1].position - slices[0].position) @ normal), depth, abs_tol=0.01)
    ):
        raise InputError(f"{what} does not have one file for each of the volume's slices.")
    return slices


def instance_numbers(sources: list[SourceSlice]) -> list[int]:
    """The source's own numbers if they tell its slices apart, else 1, 2, 3."""
    with silent_pydicom():
        try:
            numbers = [int(source.header.InstanceNumber) for source in sources]
        except (ValueError, TypeError, AttributeError):
            numbers = []
    return numbers if len(set(numbers)) == len(sources) else list(range(1, len(sources) + 1))
