"""What a DICOM file says of its image before the pixels are read, by ITK; nothing that names a patient is kept."""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.gate.elements import claims_too_much, with_little_memory

from .frames import read_frames
from .tags import (
    FRAME_KINDS,
    FREE_TEXTS,
    HARMLESS_TAGS,
    NAMES_OF_THE_PATIENT,
    PICTURE_MODALITIES,
    PLACE_TAGS,
    SECONDARY_CAPTURE,
    SEGMENTATION,
)

if TYPE_CHECKING:
    import SimpleITK

_WORD = re.compile(r"[^\W_]+")
_RIGHT_ANGLE = 0.01  # cosine up to which axes are at right angles but for rounding


@dataclass(frozen=True)
class SliceHeader:
    """What a file says of its image, or of one of its frames.

    Attributes:
        file: The file's name.
        size: Of the image in pixels, (x, y, z).
        components: Numbers a pixel has: 1 for grey, 3 for colour.
        type: Of the file's pixels, SimpleITK's number.
        position: (3,) mm LPS of the first pixel's centre.
        direction: (3, 3), columns are the directions of x, y, z in LPS.
        spacing: (x, y, z) mm, z as far as a single slice tells it.
        tags: The harmless ones.
        kind: SOP class.
        space: FrameOfReferenceUID.
        lacks: The first tag of its place in the patient that is missing or unusable.
        whose: Digests of the patient's identifier and name, by which two patients are told apart; empty if not stated.
        is_mosaic: Whether it is many slices side by side.
        frame: Its number in a multi-frame file, whose values are scaled by ``slope`` and ``intercept``.
        stack: StackID of the frame.
        slope: Units a stored number.
        intercept: Units of a stored 0.
    """

    file: str
    size: tuple[int, ...]
    components: int
    type: int
    position: np.ndarray
    direction: np.ndarray
    spacing: tuple[float, float, float]
    tags: dict[str, str]
    kind: str = ""
    space: str = ""
    lacks: str = ""
    whose: tuple[str, str] = ("", "")
    is_mosaic: bool = False
    frame: int | None = None
    stack: str = ""
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def origin(self) -> tuple[float, float, float]:
        """``position`` as plain numbers."""
        x, y, z = self.position.tolist()
        return x, y, z

    @property
    def is_picture(self) -> bool:
        """Whether it needs no place; captures keep the modality of what they show, and some of them have one."""
        is_capture = self.kind == SECONDARY_CAPTURE or self.kind.startswith(f"{SECONDARY_CAPTURE}.")
        is_known = self.tags.get("Modality") in PICTURE_MODALITIES
        return self.size[2:] == (1,) and (is_known or is_capture and self.lacks == "ImagePositionPatient")

    @property
    def has_frames(self) -> bool:
        """Whether its place is stated frame by frame, be it for a single one."""
        return self.size[2] > 1 or self.kind in FRAME_KINDS and not self.is_picture


def is_segmentation(name: Path | str) -> bool:
    """Whether a file's preamble names the class of segmentations: their frames are planes of one structure each."""
    with Path(name).open("rb") as stream:
        return SEGMENTATION.search(stream.read(1024)) is not None


def read_header(name: str) -> SliceHeader | None:
    """Read a file's header; None for files without pixels and for damaged ones."""
    import SimpleITK as sitk

    if claims_too_much(name):
        return None
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(name)
    try:
        with with_little_memory(name):
            reader.ReadImageInformation()
    except (RuntimeError, MemoryError):
        return None
    if reader.GetDimension() != 3:
        return None
    tags = {tag: _text(reader, key) for key, tag in HARMLESS_TAGS.items()}
    patient = " ".join(_text(reader, key) for key in NAMES_OF_THE_PATIENT)
    for tag in FREE_TEXTS:
        if _names_patient(tags[tag], patient):
            del tags[tag]
    # SyntheticData, and the fourth value of ImageType that this program's own images have.
    if _text(reader, "0008|001c") == "YES" or "SYNTHETIC" in _text(reader, "0008|0008").upper().split("\\"):
        tags["Synthetic"] = "yes"
    tags = {tag: text for tag, text in tags.items() if text}
    x, y, z = reader.GetSpacing()
    header = SliceHeader(
        name,
        tuple(reader.GetSize()),
        reader.GetNumberOfComponents(),
        reader.GetPixelID(),
        np.asarray(reader.GetOrigin()),
        np.asarray(reader.GetDirection()).reshape(3, 3),
        (x, y, z),
        tags,
        kind=_text(reader, "0008|0016"),
        space=_text(reader, "0020|0052"),
        whose=(
            _digest(_text(reader, "0010|0020")),
            _digest("".join(_WORD.findall(_text(reader, "0010|0010").lower()))),
        ),
        is_mosaic="MOSAIC" in _text(reader, "0008|0008").upper().split("\\"),
    )
    return header if header.is_picture else _placed(header, reader)


def frames_of(header: SliceHeader, what: str) -> list[SliceHeader]:
    """Return a header for each of a multi-frame file's frames.

    Args:
        header: The file's.
        what: Begins the sentences of InputError.

    Raises:
        InputError: For frames without a usable place, and what ``frames.read_frames`` refuses.
    """
    headers = []
    for number, frame in enumerate(read_frames(header.file, what)):
        direction = _direction(frame.axes)
        if direction is None:
            raise InputError(f"{what} has a frame without a usable ImageOrientationPatient.")
        tags = dict(header.tags)
        if frame.units:
            tags.setdefault("RescaleType", frame.units)
        headers.append(
            replace(
                header,
                position=frame.position,
                direction=direction,
                spacing=(*frame.spacing, frame.thickness or 1.0),
                tags=tags,
                lacks="",
                frame=number,
                stack=frame.stack,
                slope=frame.slope,
                intercept=frame.intercept,
            )
        )
    return headers


def _placed(header: SliceHeader, reader: SimpleITK.ImageFileReader) -> SliceHeader:
    """With the place that the tags of a single slice state: for some kinds ITK looks elsewhere, or makes one up."""
    values = {}
    for key, (tag, count) in PLACE_TAGS.items():
        try:
            values[tag] = np.array([float(part) for part in _text(reader, key).split("\\")])
        except ValueError:
            return replace(header, lacks=tag)
        if len(values[tag]) != count or not np.isfinite(values[tag]).all():
            return replace(header, lacks=tag)
    if values["PixelSpacing"].min() <= 0:
        return replace(header, lacks="PixelSpacing")
    direction = _direction(values["ImageOrientationPatient"])
    if direction is None:
        return replace(header, lacks="ImageOrientationPatient")
    y, x = values["PixelSpacing"].tolist()
    return replace(
        header,
        position=values["ImagePositionPatient"],
        direction=direction,
        spacing=(x, y, _thickness(reader)),
    )


def _thickness(reader: SimpleITK.ImageFileReader) -> float:
    """Return the mm of a single slice: ITK takes the distance between slices, which is for several of them."""
    for key in ("0018|0050", "0018|0088"):  # SliceThickness, SpacingBetweenSlices
        with contextlib.suppress(ValueError):
            millimetres = abs(float(_text(reader, key)))
            if np.isfinite(millimetres) and millimetres > 0:
                return millimetres
    return 1.0


def _direction(axes: np.ndarray) -> np.ndarray | None:
    """(6,) directions of rows and columns, rounded as text is, -> (3, 3) at right angles; None if they are far off."""
    x, y = axes[:3], axes[3:]
    lengths = np.linalg.norm(x), np.linalg.norm(y)
    if min(lengths) < 1e-3 or abs(x @ y) > _RIGHT_ANGLE * lengths[0] * lengths[1]:
        return None
    x = x / lengths[0]
    normal = np.cross(x, y)
    normal /= np.linalg.norm(normal)
    return np.stack([x, np.cross(normal, x), normal], axis=1) + 0.0  # no negative zeros


def _text(reader: SimpleITK.ImageFileReader, key: str) -> str:
    """A tag's text, empty if it is not there. Old files may hold bytes of any character set."""
    if not reader.HasMetaDataKey(key):
        return ""
    return reader.GetMetaData(key).encode("utf-8", "replace").decode("utf-8", "replace").strip(" \0")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def _names_patient(text: str, patient: str) -> bool:
    """Whether a word of the patient's name or identifiers is one of the text's; longer ones count anywhere in it."""
    words = set(_WORD.findall(text.lower()))
    known = [word for word in _WORD.findall(patient.lower()) if len(word) > 1]
    return any(word in words or len(word) > 3 and word in text.lower() for word in known)
