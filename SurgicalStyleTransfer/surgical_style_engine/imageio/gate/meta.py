"""MetaImage: what a header claims, and whether it is there."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from surgical_style_engine.errors import InputError

from .packed import AUTOMATIC, holds, inflated
from .regular import named_beside
from .room import MOST_BY_DEFLATE, check_room

_LONGEST_HEADER = 1 << 16
_MOST_DIMENSIONS = 10
_MOST_FILES = 10_000
_BYTES = {
    "CHAR": 1,
    "UCHAR": 1,
    "SHORT": 2,
    "USHORT": 2,
    "INT": 4,
    "UINT": 4,
    "LONG": 4,
    "ULONG": 4,
    "LONG_LONG": 8,
    "ULONG_LONG": 8,
    "FLOAT": 4,
    "DOUBLE": 8,
}
_PATTERN = re.compile(r"([^%/\\]*)%(0?\d?)d([^%/\\\s]*)\s+(\d+)(?:\s+(\d+))?(?:\s+(\d+))?")


@dataclass(frozen=True)
class _Header:
    """What the lines before the voxels say.

    Attributes:
        fields: By name.
        end: Byte behind them.
        rest: Lines of text behind them, for lists of files.
    """

    fields: dict[str, str]
    end: int
    rest: list[str]

    def is_set(self, name: str) -> bool:
        """Whether a switch is on, as MetaIO judges: by its first letter."""
        return self.fields.get(name, "False")[:1] in ("T", "t", "1")


def check_meta(path: Path) -> None:
    """Refuse a MetaImage whose voxels are not all there, beside it or in it.

    Raises:
        InputError: With one sentence.
        OSError: Where it cannot be read.
    """
    header = _read(path)
    try:
        sizes = [int(length) for length in header.fields["DimSize"].split()]
        channels = int(header.fields.get("ElementNumberOfChannels", 1))
        kind = header.fields["ElementType"].upper().removeprefix("MET_").removesuffix("_ARRAY")
        width = _BYTES[kind]
        is_sound = (
            1 <= int(header.fields["NDims"]) == len(sizes) <= _MOST_DIMENSIONS
            and min(sizes) > 0
            and channels > 0
            and header.fields.get("ObjectType", "Image") == "Image"
            and _is_finite(header.fields)
        )
    except (KeyError, ValueError):
        is_sound = False
    if not is_sound:
        raise InputError(f"The file {path} has a damaged header, or one of no image.")
    files = _files(path, header, sizes)
    values = math.prod(sizes) * channels
    share = -(-values // len(files))
    for file in files:
        _check_data(path, file, header, share, width)


def _read(path: Path) -> _Header:
    with path.open("rb") as stream:
        start = stream.read(_LONGEST_HEADER)
    fields: dict[str, str] = {}
    position = 0
    for line in start.split(b"\n"):
        position += len(line) + 1
        # MetaIO takes both for what parts a name from its value.
        key, *value = (part.strip() for part in re.split("[=:]", line.decode("latin-1"), maxsplit=1))
        if not value and not key:
            continue
        if not value or key in fields:  # MetaIO goes on to the next line for a name, and takes the first of two
            raise InputError(f"The file {path} has a damaged header, or one of no image.")
        fields[key] = value[0]
        if key == "ElementDataFile":
            rest = start[position:].decode("latin-1").splitlines()
            return _Header(fields, position, [text.strip() for text in rest if text.strip()])
    raise InputError(f"The file {path} has a damaged header: it does not say where its voxels are.")


def _is_finite(fields: dict[str, str]) -> bool:
    names = ("Offset", "Origin", "Position", "ElementSpacing", "TransformMatrix", "Rotation", "Orientation")
    return all(math.isfinite(float(number)) for name in names for number in fields.get(name, "").split())


def _files(path: Path, header: _Header, sizes: list[int]) -> list[Path]:
    """The files of the voxels, in order; the header itself where it holds them. Raises InputError."""
    name = header.fields["ElementDataFile"]
    if name in ("LOCAL", "Local", "local"):
        return [path]
    if name.startswith("LIST"):
        axes = re.search(r"\d+", name)
        split = min(max(int(axes[0]) if axes else len(sizes) - 1, 0), len(sizes))
        count = math.prod(sizes[split:])
        names = header.rest[:count] if count <= _MOST_FILES else []
    elif "%" in name:
        count, names = sizes[-1], _numbered(name, sizes[-1])
    else:
        count, names = 1, [name]
    if len(names) != count:
        raise InputError(f"The file {path} does not name a file for each of its slices.")
    return [named_beside(path, _text(each)) for each in names]


def _numbered(text: str, count: int) -> list[str]:
    """The names that a pattern such as "slice%03d.raw 1 20 1" stands for; none if it is no such pattern."""
    match = _PATTERN.fullmatch(text)
    if match is None or count > _MOST_FILES:
        return []
    before, digits, after, first, last, step = match.groups()
    numbers = range(int(first), int(last or int(first) + count - 1) + 1, max(1, int(step or 1)))
    width = int(digits) if digits else 0
    fill = "0" if digits.startswith("0") else " "
    return [f"{before}{str(number).rjust(width, fill)}{after}" for number in numbers[:count]]


def _check_data(path: Path, file: Path, header: _Header, values: int, width: int) -> None:
    """Raise InputError unless a file holds so many values of so many bytes."""
    start = header.end if file == path else max(0, _number(header, "HeaderSize"))
    available = file.stat().st_size - start
    needed = values * width
    is_binary = header.is_set("BinaryData") or "BinaryData" not in header.fields
    if not is_binary:
        check_room(path, 2 * values - 1, available, 1)  # a digit and a blank each
        return
    if not header.is_set("CompressedData"):
        check_room(path, needed, available, 1)
        return
    stated = _number(header, "CompressedDataSize") if "CompressedDataSize" in header.fields else 0
    if stated < 0 or stated > available:
        raise InputError(f"The file {path} is damaged or truncated.")
    check_room(path, needed, available, MOST_BY_DEFLATE)
    with file.open("rb") as stream:
        stream.seek(start)
        if not holds(inflated(stream, AUTOMATIC), needed):
            raise InputError(f"The file {path} is damaged or truncated.")


def _number(header: _Header, name: str) -> int:
    try:
        return int(header.fields.get(name, "0"))
    except ValueError:
        return 0


def _text(name: str) -> str:
    """A name as it is spelled in UTF-8, which the header's bytes are read as."""
    try:
        return name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return name
