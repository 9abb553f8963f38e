"""Whether an element of a DICOM file claims to be far longer than the file: GDCM allocates what is claimed first.

Elements are walked through as GDCM does it: where no value representation stands that DICOM knows, a length of four
bytes follows the tag in the file's own head, and where the first element behind it has none either; else one of two
bytes. Where this cannot be followed to the end, GDCM may look for lengths elsewhere, and gets little memory.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from surgical_style_engine.common.memory_limit import at_most_more

ROOM = 512 << 20  # bytes of memory
LARGE = 64 << 20  # bytes; shorter lies cost GDCM no more than a good file
_SHORT = {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL"}
_SHORT |= {b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_HEAD, _SYNTAX, _PIXELS = 2, 0x00020010, 0x7FE00010
_IMPLICIT, _BIG_ENDIAN, _DEFLATED = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.1.99"
_PREAMBLE, _MOST_ELEMENTS, _BLOCK = 128, 500_000, 1 << 16


def claims_too_much(path: Path | str) -> bool:
    """Whether an element of a file is said to reach far behind its end.

    Args:
        path: A regular file, DICOM or not.

    Raises:
        OSError: Where it cannot be read.
    """
    return _looked_at(path)[0]


@contextlib.contextmanager
def with_little_memory(path: Path | str, needed: int = 0) -> Iterator[None]:
    """For GDCM: where a file's elements cannot be followed, it gets ROOM and a few times the file's size (Linux).

    Args:
        path: A regular file, DICOM or not.
        needed: Bytes that what is read takes, beside.
    """
    with contextlib.ExitStack() as stack:
        if not _looked_at(path)[1]:
            stack.enter_context(at_most_more(ROOM + 4 * os.path.getsize(path) + needed))
        yield


def _looked_at(path: Path | str) -> tuple[bool, bool]:
    """Whether an element reaches far behind the file's end; whether all can be followed to that end."""
    size, way, end = os.path.getsize(path), _Way(), 0
    with Path(path).open("rb") as stream:
        for start, length in _values(_Blocks(stream), size, way):
            end = start + length
            if end > size and length > LARGE:
                return True, False
            if end > size or way.past_pixels:
                break
    # Behind the pixels GDCM goes on, and takes what is no padding for elements.
    return False, not way.is_odd and (end == size or end < size and way.in_fragments)


class _Blocks:
    """Bytes of a file at any place, read in blocks."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._first, self._block = stream, 0, b""

    def at(self, place: int, count: int) -> bytes:
        if not self._first <= place <= place + count <= self._first + len(self._block):
            self._stream.seek(place)
            self._first, self._block = place, self._stream.read(max(count, _BLOCK))
        return self._block[place - self._first : place - self._first + count]


@dataclass
class _Way:
    """How the elements that come next are written.

    Attributes:
        order: Of the bytes of numbers.
        is_explicit: Whether value representations are written.
        syntax: What the file's head names; None within it.
        in_fragments: Whether items hold compressed pixels, and no elements.
        past_pixels: Whether the pixels have begun; behind them is padding.
        is_odd: Whether an element was not as DICOM has it.
    """

    order: Literal["little", "big"] = "little"
    is_explicit: bool = True
    syntax: bytes | None = None
    in_fragments: bool = False
    past_pixels: bool = False
    is_odd: bool = False

    def leave_head(self, vr: bytes) -> None:
        """After the head; ``vr`` stands where the first element's value representation does, if it has one."""
        self.syntax = self.syntax or b""
        self.is_explicit = self.syntax != _IMPLICIT and vr in _SHORT | _LONG
        self.is_odd = self.is_odd or self.syntax not in (b"", _IMPLICIT) and not self.is_explicit
        self.order = "big" if self.syntax == _BIG_ENDIAN else "little"


def _values(data: _Blocks, size: int, way: _Way) -> Iterator[tuple[int, int]]:
    """Where the values of a file's elements begin, and their lengths; those of sequences, and not these themselves."""
    place = _PREAMBLE + 4 if data.at(_PREAMBLE, 4) == b"DICM" else 0
    if place == 0 and data.at(0, 2) not in (b"\2\0", b"\x08\0"):
        return  # hardly DICOM; GDCM begins all the same
    in_head = True
    for _ in range(_MOST_ELEMENTS):
        head = data.at(place, 12)
        if len(head) < 8:
            return
        if in_head and head[:2] != b"\2\0":
            in_head = False
            way.leave_head(head[4:6])
            if way.syntax == _DEFLATED:
                return
        group, number = (int.from_bytes(head[n : n + 2], way.order) for n in (0, 2))
        tag = group << 16 | number
        width, length, is_sequence = _length(head, tag, way)
        place += width
        if group == 0 and not way.past_pixels:  # of no file; GDCM looks for a length at several places
            way.is_odd = True
            yield place, max(int.from_bytes(head[n : n + 4], "little") for n in (4, 6, 8))
        way.past_pixels = way.past_pixels or tag == _PIXELS
        if tag == _SYNTAX and in_head:
            way.syntax = data.at(place, min(length, 64)).strip(b" \0")
        if tag == _ITEM and not way.in_fragments or tag in (_ITEM_END, _SEQUENCE_END):
            way.in_fragments = way.in_fragments and tag != _SEQUENCE_END
        elif length == _UNDEFINED:
            way.in_fragments = tag == _PIXELS
        elif not is_sequence and data.at(place, 4) != b"\xfe\xff\x00\xe0":
            yield place, length
            place += length


def _length(head: bytes, tag: int, way: _Way) -> tuple[int, int, bool]:
    """Bytes before an element's value, bytes that it is said to have, and whether it is a sequence."""
    vr = head[4:6]
    if way.is_explicit and tag >> 16 != _ITEM >> 16:
        if vr in _LONG:
            return 12, int.from_bytes(head[8:12], way.order), vr == b"SQ"
        way.is_odd = way.is_odd or vr not in _SHORT
        if vr in _SHORT or tag >> 16 != _HEAD:
            return 8, int.from_bytes(head[6:8], way.order), False
    return 8, int.from_bytes(head[4:8], way.order), False
