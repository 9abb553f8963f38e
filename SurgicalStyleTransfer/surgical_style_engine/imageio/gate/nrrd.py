"""NRRD: what a header claims, and whether it is there."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from surgical_style_engine.errors import InputError

from .packed import GZIP, holds, inflated, unpacked_bzip2
from .regular import named_beside
from .room import MOST_BY_DEFLATE, check_room

_LONGEST_HEADER = 1 << 20
_MOST_DIMENSIONS = 16
_MOST_FILES = 10_000
_MOST_BY_BZIP2 = 45_000  # times, of zeros
_BYTES = {
    1: "signed char|int8|int8_t|uchar|unsigned char|uint8|uint8_t",
    2: "short|short int|signed short|signed short int|int16|int16_t"
    "|ushort|unsigned short|unsigned short int|uint16|uint16_t",
    4: "int|signed int|int32|int32_t|uint|unsigned int|uint32|uint32_t|float",
    8: "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t"
    "|ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t|double",
}
_WIDTHS = {name: width for width, names in _BYTES.items() for name in names.split("|")}
_ENCODINGS = {"txt": "text", "text": "text", "ascii": "text", "hex": "hex", "raw": "raw"}
_ENCODINGS |= {"gz": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2"}
_PATTERN = re.compile(r"([^%]*)%(0?\d?)d([^%\s]*)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)(?:\s+\d+)?")


@dataclass
class _Header:
    """Fields by name without blanks, lower case; the byte behind the header; files of a list."""

    fields: dict[str, str] = field(default_factory=dict)
    end: int = 0
    listed: list[str] = field(default_factory=list)

    def number(self, name: str) -> int:
        """A whole number, 0 where it is not stated. Raises ValueError."""
        return int(self.fields.get(name, "0"))


def check_nrrd(path: Path) -> None:
    """Refuse a NRRD whose voxels are not all there, beside it or in it.

    Raises:
        InputError: With one sentence.
        OSError: Where it cannot be read.
    """
    header = _read(path)
    try:
        sizes = [int(length) for length in header.fields["sizes"].split()]
        width = _WIDTHS[header.fields["type"].lower()]
        encoding = _ENCODINGS[header.fields["encoding"].lower()]
        skipped, lines = header.number("byteskip"), header.number("lineskip")
        is_sound = (
            1 <= int(header.fields["dimension"]) == len(sizes) <= _MOST_DIMENSIONS
            and min(sizes) > 0
            and lines >= 0
            and (skipped >= 0 or encoding == "raw" and skipped == -1)
            and not re.search(
                r"nan|inf", header.fields.get("spacedirections", "") + header.fields.get("spaceorigin", "")
            )
        )
    except (KeyError, ValueError):
        is_sound = False
    if not is_sound:
        raise InputError(f"The file {path} has a damaged header, or one of a kind that cannot be read.")
    files = _files(path, header)
    needed = -(-math.prod(sizes) // len(files)) * width
    for file in files:
        with file.open("rb") as stream:
            stream.seek(header.end if file == path else 0)
            for _ in range(lines):
                if not stream.readline(_LONGEST_HEADER):
                    raise InputError(f"The file {path} is damaged or truncated.")
            _check_data(path, stream, file.stat().st_size - stream.tell(), encoding, (needed, width, max(0, skipped)))


def _read(path: Path) -> _Header:
    header = _Header()
    with path.open("rb") as stream:
        if not stream.readline(64).startswith(b"NRRD000"):
            raise InputError(f"The file {path} is no readable image: damaged or not what its name says.")
        for raw in iter(lambda: stream.readline(_LONGEST_HEADER), b""):
            line = raw.decode("latin-1").strip("\r\n")
            header.end = stream.tell()
            if not line or header.end > _LONGEST_HEADER:
                break
            name, separator, value = line.partition(":")
            if line.startswith("#") or not separator or value.startswith("="):
                continue
            name = name.replace(" ", "").lower()
            header.fields[name] = value.strip()
            if name == "datafile" and value.split()[:1] == ["LIST"]:
                rest = stream.read(_LONGEST_HEADER).decode("latin-1").splitlines()
                header.listed = [text.strip() for text in rest if text.strip()]
                break
    return header


def _files(path: Path, header: _Header) -> list[Path]:
    """The files of the voxels, in order; the header itself where it holds them. Raises InputError."""
    stated = header.fields.get("datafile")
    if stated is None:
        return [path]
    if stated.split()[:1] == ["LIST"]:
        names = header.listed
    elif "%" in stated:
        names = list(_numbered(stated))
    else:
        names = [stated]
    if not 1 <= len(names) <= _MOST_FILES:
        raise InputError(f"The file {path} does not name the files that hold its voxels.")
    return [named_beside(path, name) for name in names]


def _numbered(text: str) -> Iterator[str]:
    """The names that a pattern such as "slice%03d.raw 1 20 1" stands for; none if it is no such pattern."""
    match = _PATTERN.fullmatch(text)
    if match is None or int(match[6]) == 0:
        return
    before, digits, after, first, last, step = match.groups()
    stop = int(last) + (1 if int(step) > 0 else -1)
    for number in range(int(first), stop, int(step))[: _MOST_FILES + 1]:
        fill = "0" if digits.startswith("0") else " "
        yield f"{before}{str(number).rjust(int(digits or 0), fill)}{after}"


def _check_data(path: Path, stream: BinaryIO, available: int, encoding: str, sizes: tuple[int, int, int]) -> None:
    """Raise InputError unless a stream holds what it must.

    sizes: bytes that are needed, bytes of a value, bytes before them.
    """
    needed, width, skipped = sizes
    if encoding == "raw":
        check_room(path, needed, available - skipped, 1)
    elif encoding == "hex":
        check_room(path, 2 * needed, available, 1)
    elif encoding == "text":
        check_room(path, 2 * (needed // width) - 1, available, 1)  # a digit and a blank each
    else:
        is_gzip = encoding == "gzip"
        check_room(path, needed + skipped, available, MOST_BY_DEFLATE if is_gzip else _MOST_BY_BZIP2)
        pieces = inflated(stream, GZIP) if is_gzip else unpacked_bzip2(stream)
        if not holds(pieces, needed + skipped):
            raise InputError(f"The file {path} is damaged or truncated.")
