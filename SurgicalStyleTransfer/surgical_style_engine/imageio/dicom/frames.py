"""Multi-frame DICOM: where each frame lies and how its values are scaled, which ITK gives for the whole file only.

ITK reads frames in the file's order, on a grid made up where they are uneven, and with the first frame's scale (seen
with ITK 5.4). pydicom, which 3D Slicer brings along, reads what the file says of each.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from surgical_style_engine.errors import InputError

from .silence import failures, silent_pydicom

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TIMES = {0x00181063, 0x00181065}  # FrameTime, FrameTimeVector
_SLICES = 0x00540080  # SliceVector
_TRANSVERSE = 0.999  # cosine of the angle to the patient's long axis


@dataclass(frozen=True)
class Frame:
    """What a file says of one of its frames; value = stored number * slope + intercept.

    Attributes:
        position: (3,) mm LPS of the first pixel's centre.
        axes: (6,) the directions of rows and columns, as stated.
        spacing: (x, y) mm.
        thickness: mm, 0 if unknown.
        slope: Units a stored number.
        intercept: Units of a stored 0.
        units: RescaleType.
        stack: Its StackID, empty if there is none.
    """

    position: np.ndarray
    axes: np.ndarray
    spacing: tuple[float, float]
    thickness: float
    slope: float
    intercept: float
    units: str
    stack: str


def read_frames(name: str, what: str) -> list[Frame]:
    """Read what a multi-frame file says of each frame.

    Args:
        name: The file.
        what: Begins the sentences of InputError.

    Returns:
        The frames in the file's own order.

    Raises:
        InputError: Without pydicom, for damaged files, and for frames whose place is not stated, neither for each nor
            for all of them by that of the first one and the distances.
    """
    with silent_pydicom():
        data = _read(name, what, pixels=False)
        try:
            count = int(data.get("NumberOfFrames") or 1)
            shared = _first(data, "SharedFunctionalGroupsSequence")
            groups = data.get("PerFrameFunctionalGroupsSequence") or []
            if not groups:
                return _evenly_placed(data, count, what)
            if len(groups) != count:
                raise InputError(f"{what} has {count} frames, but describes {len(groups)}.")
            return [_frame(group, shared, data, what) for group in groups]
        except failures():
            raise InputError(f"{what} has a damaged header.") from None


def stored_values(name: str, what: str) -> np.ndarray:
    """Read the numbers as they are stored in a grey multi-frame file, not scaled.

    Args:
        name: The file.
        what: Begins the sentences of InputError.

    Returns:
        (frames, y, x).

    Raises:
        InputError: For damaged files, those pydicom has no decoder for, and other than MONOCHROME2.
    """
    with silent_pydicom():
        data = _read(name, what, pixels=True)
        if data.get("PhotometricInterpretation") != "MONOCHROME2":
            raise InputError(f"{what} has frames of a scale each that are not MONOCHROME2, which cannot be used.")
        try:
            array = data.pixel_array
        except failures():
            raise InputError(
                f"{what} has frames of a scale each, and cannot be decompressed: it is damaged or of an unusual kind."
            ) from None
    return array[None] if array.ndim == 2 else array


def _read(name: str, what: str, pixels: bool) -> Dataset:
    try:
        import pydicom
    except ImportError:
        raise InputError(f"{what} is multi-frame, which needs the Python package pydicom.") from None
    try:
        return pydicom.dcmread(name, stop_before_pixels=not pixels, force=True)
    except failures():
        raise InputError(f"{what} is damaged or truncated.") from None


def _frame(group: Dataset, shared: Dataset | None, data: Dataset, what: str) -> Frame:
    def item(sequence: str) -> Any:
        own = _first(group, sequence)
        return own if own is not None or shared is None else _first(shared, sequence)

    measures = item("PixelMeasuresSequence")
    y, x = _numbers(measures, "PixelSpacing", 2, what)
    if min(x, y) <= 0:
        raise InputError(f"{what} has a frame without a usable PixelSpacing.")
    scale = item("PixelValueTransformationSequence")
    # Old multi-frame kinds state one scale for all frames beside them.
    scale = data if scale is None else scale
    content = _first(group, "FrameContentSequence")
    thickness = measures.get("SliceThickness") or measures.get("SpacingBetweenSlices")
    return Frame(
        _numbers(item("PlanePositionSequence"), "ImagePositionPatient", 3, what),
        _numbers(item("PlaneOrientationSequence"), "ImageOrientationPatient", 6, what),
        (float(x), float(y)),
        abs(float(thickness or 0)),
        float(1 if scale.get("RescaleSlope") is None else scale.RescaleSlope),
        float(scale.get("RescaleIntercept") or 0),
        str(scale.get("RescaleType") or ""),
        "" if content is None else str(content.get("StackID") or ""),
    )


def _evenly_placed(data: Dataset, count: int, what: str) -> list[Frame]:
    """Return the frames of kinds older than functional groups: nuclear medicine, dose and cone beam CT.

    They state the place of the first frame and how far apart the frames are along the normal.
    """
    if set(_pointers(data)) & _TIMES:
        raise InputError(f"{what} has {count} frames one after another in time (a film?), which make no volume.")

    def stated(keyword: str, length: int, *places: Dataset | None) -> np.ndarray:
        for place in places:
            with contextlib.suppress(InputError):
                return _numbers(place, keyword, length, what)
        raise InputError(
            f"{what} has {count} frames without a place each (a film?), and no usable {keyword} for all of them."
        )

    detector = _first(data, "DetectorInformationSequence")
    position = stated("ImagePositionPatient", 3, detector, data)
    axes = stated("ImageOrientationPatient", 6, detector, data)
    y, x = stated("PixelSpacing", 2, data)
    if min(x, y) <= 0:
        raise InputError(f"{what} has frames without a usable PixelSpacing.")
    normal = np.cross(axes[:3], axes[3:])
    if np.linalg.norm(normal) > 0:
        normal = normal / np.linalg.norm(normal)
    if "GridFrameOffsetVector" in data:
        offsets = stated("GridFrameOffsetVector", count, data)
        if offsets[0] != 0:  # heights in the patient, which only transverse frames have
            if abs(normal[2]) < _TRANSVERSE:
                raise InputError(f"{what} has frames at heights (GridFrameOffsetVector) that are not transverse.")
            offsets = (offsets - offsets[0]) * np.sign(normal[2])
    elif count == 1:
        offsets = np.zeros(1)
    else:
        distance = stated("SpacingBetweenSlices", 1, data)
        offsets = distance * _slice_numbers(data, count, what)
    scale = float(1 if data.get("RescaleSlope") is None else data.RescaleSlope)
    return [
        Frame(
            position + offset * normal,
            axes,
            (float(x), float(y)),
            abs(float(data.get("SliceThickness") or 0)),
            scale,
            float(data.get("RescaleIntercept") or 0),
            str(data.get("RescaleType") or ""),
            "",
        )
        for offset in offsets
    ]


def _slice_numbers(data: Dataset, count: int, what: str) -> np.ndarray:
    """(frames,) how many slices each lies behind the first one, whose place is stated."""
    if "SliceVector" in data:
        numbers = _numbers(data, "SliceVector", count, what)
        return numbers - numbers[0]
    # Views from around the patient come with a place, too.
    if data.get("Modality") == "NM" and "RECON" not in " ".join(data.get("ImageType") or ()).upper():
        raise InputError(f"{what} has {count} frames without a place each: views, not slices, which make no volume.")
    # Frames of gates, energy windows or detectors would be stacked as slices.
    for tag in _pointers(data):
        if tag >> 16 == _SLICES >> 16 and tag != _SLICES:
            counts = data[tag].value if tag in data else None
            if counts is None or not isinstance(counts, int) and len(set(counts)) > 1:
                raise InputError(f"{what} has {count} frames that are not only slices (gates?), and no SliceVector.")
    return np.arange(count)


def _pointers(data: Dataset) -> list[int]:
    """The tags by which frames follow each other."""
    pointer = data.get("FrameIncrementPointer")
    if pointer is None:
        return []
    return [int(pointer)] if isinstance(pointer, int) else [int(tag) for tag in pointer]


def _first(data: Dataset, sequence: str) -> Any:
    items = data.get(sequence)
    return items[0] if items else None


def _numbers(data: Dataset | None, keyword: str, count: int, what: str) -> np.ndarray:
    """(count,) of the tag's numbers. Raises InputError for other counts and for what is not finite."""
    stated: Any = None if data is None else data.get(keyword)
    values = () if stated is None else (stated,) if isinstance(stated, (int, float, str)) else stated
    numbers = np.array([float(value) for value in values if value != ""])
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise InputError(f"{what} has a frame without a usable {keyword}.")
    return numbers
