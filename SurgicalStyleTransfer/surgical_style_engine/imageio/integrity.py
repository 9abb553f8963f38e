"""Whether an image file is whole, where the reading library would not say so.

ITK's NIfTI reader accepts files that end too early, leaving what is missing uninitialised, and turns NaN and infinite
values into 0 (seen with ITK 5.4); its JPEG reader fills what is missing with grey. MetaImage files that end too early
are refused, but with noise on stderr.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError

from .formats import JPEG_ENDINGS, META_ENDINGS, NIFTI_ENDINGS
from .gzip_bytes import plain_bytes

_LONGEST_HEADER = 540
_FLOAT32, _FLOAT64 = 16, 64  # NIfTI's codes of types
_META_BYTES = {
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


def check_whole(path: Path) -> None:
    """Refuse files that are cut short or damaged, and NIfTI files with values that are not finite.

    Reads the file once (NIfTI and JPEG) or only its header (MetaImage). Other formats pass: their readers notice.

    Args:
        path: The file, of any format.

    Raises:
        InputError: If a NIfTI, MetaImage or JPEG file is truncated, its compressed data are damaged, or a NIfTI file
            holds NaN or infinite values.
    """
    name = path.name.lower()
    try:
        if name.endswith(NIFTI_ENDINGS):
            whole = _nifti_whole(path)
        elif name.endswith(META_ENDINGS):
            whole = _meta_whole(path)
        elif name.endswith(JPEG_ENDINGS):
            whole = _jpeg_whole(path)
        else:
            return
    except OSError as error:
        raise InputError(f"The file {path} cannot be read: {error.strerror or error}.") from None
    if not whole:
        raise InputError(f"The file {path} is damaged or truncated.")


@dataclass(frozen=True)
class _NiftiLayout:
    """Where the voxels of a single-file NIfTI lie, in bytes of the uncompressed file; type None: no floating point."""

    start: int
    count: int
    type: np.dtype | None


def nifti_digest(path: Path) -> str | None:
    """Compute the SHA-256 of the voxels' bytes as they lie in a NIfTI file, uncompressed; a piece at a time.

    Args:
        path: The file.

    Returns:
        The digest, hexadecimal; None if the file is not whole.

    Raises:
        InputError: For values that are not finite.
        OSError: Where the file cannot be read.
    """
    digest = hashlib.sha256()
    return digest.hexdigest() if _nifti_whole(path, digest.update) else None


def _nifti_whole(path: Path, look: Callable[[bytes], None] | None = None) -> bool:
    """Whether the file is; ``look`` gets the voxels' bytes, piece by piece."""
    header, layout, count = b"", None, 0
    rest = b""  # of a value that two chunks share
    try:
        for chunk in plain_bytes(path):
            before, count = count, count + len(chunk)
            if len(header) < _LONGEST_HEADER:
                header += chunk[: _LONGEST_HEADER - len(header)]
                if len(header) < _LONGEST_HEADER and not _complete(header):
                    continue
                layout = layout or _nifti_layout(header)
            if layout is None:
                continue
            voxels = chunk[max(0, layout.start - before) : max(0, layout.start + layout.count - before)]
            if look is not None:
                look(voxels)
            if layout.type is None:
                continue
            data = rest + voxels
            usable = len(data) - len(data) % layout.type.itemsize
            rest = data[usable:]
            if not np.isfinite(np.frombuffer(data[:usable], layout.type)).all():
                raise InputError(f"The file {path} holds NaN or infinite values.")
    except zlib.error:
        return False
    if not _complete(header):
        return False
    return layout is None or count >= layout.start + layout.count


def _complete(header: bytes) -> bool:
    """Whether all of a NIfTI header is there: 348 bytes of version 1, 540 of version 2."""
    two = header[:4] in (struct.pack("<i", 540), struct.pack(">i", 540))
    return len(header) >= (540 if two else 348)


def _nifti_layout(header: bytes) -> _NiftiLayout | None:
    """By a complete header of version 1 or 2; None if it is another format, which is for the reader to judge."""
    for order in "<>":
        (size,) = struct.unpack_from(f"{order}i", header)
        if size == 348 and header[344:347] == b"n+1":
            dim = struct.unpack_from(f"{order}8h", header, 40)
            kind, bits = struct.unpack_from(f"{order}2h", header, 70)
            (offset,) = struct.unpack_from(f"{order}f", header, 108)
        elif size == 540:
            dim = struct.unpack_from(f"{order}8q", header, 16)
            kind, bits = struct.unpack_from(f"{order}2h", header, 12)
            (offset,) = struct.unpack_from(f"{order}q", header, 168)
        else:
            continue
        if not 1 <= dim[0] <= 7 or not math.isfinite(offset):
            return None
        voxels = math.prod(max(1, length) for length in dim[1 : dim[0] + 1])
        floats = {_FLOAT32: "f4", _FLOAT64: "f8"}
        dtype = np.dtype(order + floats[kind]) if kind in floats else None
        return _NiftiLayout(max(int(offset), size), (voxels * bits + 7) // 8, dtype)
    return None


def _meta_whole(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(1 << 16)
    fields, position = {}, 0
    for line in start.split(b"\n"):
        position += len(line) + 1
        key, separator, value = line.decode("latin-1").partition("=")
        if separator:
            fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            break
    try:
        if fields.get("BinaryData", "True").lower() == "false":
            return True
        if fields["ElementDataFile"].upper() == "LOCAL":
            available = path.stat().st_size - position
        else:
            raw = path.parent / fields["ElementDataFile"].encode("latin-1").decode("utf-8")
            if "%" in raw.name or raw.name == "LIST":
                return True
            if not raw.is_file():
                raise InputError(f"The file {path} needs {raw.name} beside it, which does not exist.")
            available = raw.stat().st_size - max(0, int(fields.get("HeaderSize", 0)))
        if fields.get("CompressedData", "False").lower() == "true":
            return available >= int(fields.get("CompressedDataSize", 0))
        kind = fields["ElementType"].upper().removeprefix("MET_").removesuffix("_ARRAY")
        voxels = math.prod(int(length) for length in fields["DimSize"].split())
        return available >= voxels * int(fields.get("ElementNumberOfChannels", 1)) * _META_BYTES[kind]
    except (KeyError, ValueError):
        return True  # an unusual header: the reader decides


def _jpeg_whole(path: Path) -> bool:
    """The end marker must come after the last start of a scan; a preview inside has both before the picture's own."""
    data = path.read_bytes()
    return not data.startswith(b"\xff\xd8") or data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
