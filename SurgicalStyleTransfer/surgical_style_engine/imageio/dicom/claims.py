"""Whether a DICOM file holds the pixels that its header claims.

GDCM allocates what Rows and Columns say, and leaves uninitialised what the pixel data lack (seen with ITK 5.4).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.gate.packed import RAW, inflated
from surgical_style_engine.imageio.gate.room import check_room

from .silence import failures, silent_pydicom

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_DEFLATED = "1.2.840.10008.1.2.1.99"
_PIXELS, _LATER = 0x7FE00010, 0x7FE00008  # PixelData; from here on, pixels in one type or another
_FIRST = 0x00010000  # no tag of a file is below, but for those of its own head
_UNDEFINED = 0xFFFFFFFF
_MOST_BEHIND = 64 << 20  # bytes behind the pixels; GDCM looks through them
_MOST_SAMPLES = 4
_LONG_VRS = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
_MOST_INFLATED = 64 << 20  # bytes that a deflated file may always have
_MOST_DEFLATION = 50  # times its size that a larger one may have
_PADDING = 16  # bytes behind the pixels that only fill up
_MOST_UNUSED = 2  # times the pixels that the header counts, from which there are images that it does not count
_BITS = {1, 8, 16, 32, 64}
_COLOURS = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "HSV", "ARGB", "CMYK", "XYB"}
_COLOURS |= {f"YBR_{kind}" for kind in ("FULL", "FULL_422", "PARTIAL_422", "PARTIAL_420", "ICT", "RCT")}
_LOOKED_AT = (
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "BitsAllocated",
    "PhotometricInterpretation",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
)


@dataclass(frozen=True)
class _Pixels:
    """Where the pixels of a file lie: bytes, and those that they are said to have (_UNDEFINED: in fragments)."""

    start: int
    stated: int
    available: int


def check_claims(name: str, what: str) -> None:
    """Refuse a file whose pixel data are shorter than its header says, before they are decoded.

    Args:
        name: The file.
        what: Begins the sentences of InputError.

    Raises:
        InputError: For pixels that are not there, sizes that no file of its size can hold, numbers of samples that no
            image has, and a scale that is no number.
    """
    damaged = InputError(f"{what} is damaged or truncated: {Path(name).name} does not hold the pixels that it claims.")
    try:
        import pydicom  # noqa: F401
    except ImportError:
        return
    with silent_pydicom():
        try:
            header, pixels = _parsed(name, what)
            if "Rows" not in header:
                return
            needed = _bytes_of(header, what)
            _check_kind(header, what)
            _check_scale(header, what)
        except failures():  # also for values of another number or kind than their tags have
            raise damaged from None
    if pixels is None or needed is None or not needed:
        raise damaged
    if pixels.stated != _UNDEFINED and pixels.stated >= _MOST_UNUSED * needed + _PADDING:
        raise InputError(f"{what} holds more pixels in {Path(name).name} than its header counts.")
    if pixels.stated == _UNDEFINED:
        check_room(Path(name), needed, pixels.available, math.inf)
        end = _end_of_fragments(name, pixels, damaged)
    elif needed > min(pixels.stated, pixels.available):
        raise damaged
    else:
        end = pixels.stated
    if pixels.available > end + _MOST_BEHIND:
        raise InputError(f"{what} has far more in {Path(name).name} than its header says.")


def _parsed(name: str, what: str) -> tuple[Dataset, _Pixels | None]:
    """The tags that are looked at, and where the pixels are; None for a file without. Raises failures()."""
    from pydicom.filereader import read_partial
    from pydicom.tag import Tag

    met: list[tuple[int, str | None, int]] = []

    def stop(tag: Any, vr: str | None, length: int) -> bool:
        if tag >= _LATER or tag < _FIRST:  # zeros for ever look like elements
            met.append((int(tag), vr, length))
        return bool(met)

    _check_inflated(name, what)
    with Path(name).open("rb") as stream:
        header = read_partial(stream, stop, force=True, specific_tags=[Tag(keyword) for keyword in _LOOKED_AT])
        place = stream.tell()
    if not met or met[0][0] != _PIXELS:
        return header, None
    _, vr, length = met[0]
    if header.file_meta.get("TransferSyntaxUID") == _DEFLATED:
        return header, _Pixels(0, length, length)  # what the file lacks, pydicom and GDCM notice when they inflate
    start = place + (12 if vr in _LONG_VRS and not header.original_encoding[0] else 8)
    return header, _Pixels(start, length, os.path.getsize(name) - start)


def _check_inflated(name: str, what: str) -> None:
    """Raise InputError for a deflated file that would inflate to more than an image is."""
    from pydicom.filereader import read_file_meta_info, read_preamble

    with Path(name).open("rb") as stream:
        head = stream.read(1024)
        if _DEFLATED.encode() not in head:
            return
        stream.seek(0)
        read_preamble(stream, force=True)
        length = int(read_file_meta_info(name).FileMetaInformationGroupLength)
        stream.seek(stream.tell() + 12 + length)
        size, most = 0, max(_MOST_INFLATED, _MOST_DEFLATION * os.path.getsize(name))
        for piece in inflated(stream, RAW):
            size += len(piece)
            if size > most:
                raise InputError(f"{what} is deflated to a small part of its size, which no image is.")


def _bytes_of(header: Dataset, what: str) -> int | None:
    """How many bytes the pixels need where they are not compressed; None where the header does not tell."""
    samples = header.get("SamplesPerPixel")
    if samples is not None and not 1 <= int(samples) <= _MOST_SAMPLES:
        raise InputError(f"{what} has {int(samples)} samples a pixel, which no image has.")
    bits = header.get("BitsAllocated")
    if bits is None:
        return None
    samples = 2 if header.get("PhotometricInterpretation") == "YBR_FULL_422" else int(samples or 1)
    frames = _count(header.get("NumberOfFrames"))
    return math.ceil(int(header.Rows) * int(header.get("Columns") or 0) * samples * frames * int(bits) / 8)


def _count(frames: Any) -> int:
    try:
        return max(1, int(frames or 1))
    except (ValueError, TypeError):
        return 1


def _check_kind(header: Dataset, what: str) -> None:
    """Raise InputError where the header leaves open what the numbers of a pixel are."""
    bits, signed = header.get("BitsAllocated"), header.get("PixelRepresentation")
    if bits is not None and int(bits) not in _BITS:
        raise InputError(f"{what} has {int(bits)} bits a sample, which no image has.")
    if signed is not None and int(signed) not in (0, 1):
        raise InputError(f"{what} does not say whether its pixels have a sign.")
    colour = str(header.get("PhotometricInterpretation") or "MONOCHROME2").strip().upper()
    if colour not in _COLOURS:
        raise InputError(f"{what} has pixels of a kind that DICOM does not know (PhotometricInterpretation).")


def _check_scale(header: Dataset, what: str) -> None:
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        try:
            value = float(header.get(keyword) or 0)
        except (ValueError, TypeError):
            raise InputError(f"{what} has a {keyword} that is no number.") from None
        if not math.isfinite(value):
            raise InputError(f"{what} has a {keyword} that is no number.")


def _end_of_fragments(name: str, pixels: _Pixels, damaged: InputError) -> int:
    """Bytes from the first fragment to the last. Raises InputError where one reaches behind the file, or none is."""
    count, place, end = 0, pixels.start, pixels.start + pixels.available
    with Path(name).open("rb") as stream:
        while place + 8 <= end:
            stream.seek(place)
            item = stream.read(8)
            if item[:4] != b"\xfe\xff\x00\xe0":
                break
            length = int.from_bytes(item[4:], "little")
            place += 8 + length
            count += length > 0
            if place > end:
                raise damaged
    if not count:
        raise damaged
    return place - pixels.start
