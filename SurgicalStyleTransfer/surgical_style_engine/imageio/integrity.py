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

from .formats import JPEG_ENDINGS, META_ENDINGS, NIFTI_ENDINGS, NRRD_ENDINGS, PICTURE_ENDINGS
from .gate.meta import check_meta
from .gate.nrrd import check_nrrd
from .gate.pictures import check_picture_file
from .gate.room import MOST_BY_DEFLATE, check_room
from .gzip_bytes import is_gzip, plain_bytes

_LONGEST_HEADER = 540
_FLOAT32, _FLOAT64 = 16, 64  # NIfTI's codes of types
_TYPE_BYTES = {2: 1, 4: 2, 8: 4, 16: 4, 32: 8, 64: 8, 128: 3, 256: 1, 512: 2, 768: 4, 1024: 8, 1280: 8, 1536: 16}
_TYPE_BYTES |= {1792: 16, 2048: 32, 2304: 4}
_PIECE = 1 << 20
_MOST_BEHIND = 16 << 20  # bytes behind the voxels that are looked through for damage


def check_whole(path: Path) -> None:
    """Refuse files that hold less than they claim, are cut short or damaged, and NIfTI values that are not finite.

    What a header claims is judged before anything is decoded. Reads the file once (NIfTI, JPEG, whatever is compressed)
    or only its header.

    Args:
        path: The file, of any format but DICOM, which ``imageio.dicom.claims`` looks at.

    Raises:
        InputError: If a file claims more than it holds or any image has, names another file than those beside it, is
            truncated, its compressed data are damaged, or a NIfTI file holds NaN or infinite values.
    """
    name = path.name.lower()
    try:
        if name.endswith(NIFTI_ENDINGS):
            whole = _nifti_whole(path)
        elif name.endswith(META_ENDINGS):
            check_meta(path)
            return
        elif name.endswith(NRRD_ENDINGS):
            check_nrrd(path)
            return
        elif name.endswith(PICTURE_ENDINGS):
            check_picture_file(path)
            whole = not name.endswith(JPEG_ENDINGS) or _jpeg_whole(path)
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
    header, layout, count, packed = b"", None, 0, is_gzip(path)
    rest = b""  # of a value that two chunks share
    try:
        for chunk in plain_bytes(path):
            before, count = count, count + len(chunk)
            if len(header) < _LONGEST_HEADER:
                header += chunk[: _LONGEST_HEADER - len(header)]
                if len(header) < _LONGEST_HEADER and not _complete(header):
                    continue
                layout = _checked_layout(path, header, packed)
            if layout is None:
                continue
            if before >= layout.start + layout.count and not packed:
                return True  # nobody reads further
            if before > layout.start + layout.count + _MOST_BEHIND:
                raise InputError(f"The file {path} holds far more than its header says.")
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
    return layout is not None and count >= layout.start + layout.count


def _checked_layout(path: Path, header: bytes, packed: bool) -> _NiftiLayout:
    """Raise InputError for a header that is no NIfTI file's, or that claims what the file cannot hold."""
    layout = _nifti_layout(header)
    if layout is None:
        raise InputError(f"The file {path} is no NIfTI file in one piece, or its header is damaged.")
    check_room(path, layout.start + layout.count, path.stat().st_size, MOST_BY_DEFLATE if packed else 1)
    return layout


def _complete(header: bytes) -> bool:
    """Whether all of a NIfTI header is there: 348 bytes of version 1, 540 of version 2."""
    two = header[:4] in (struct.pack("<i", 540), struct.pack(">i", 540))
    return len(header) >= (540 if two else 348)


def _nifti_layout(header: bytes) -> _NiftiLayout | None:
    """By a complete header of version 1 or 2; None if it is another format, or says nothing that can be."""
    for order in "<>":
        (size,) = struct.unpack_from(f"{order}i", header)
        if size == 348 and header[344:347] == b"n+1":
            dim = struct.unpack_from(f"{order}8h", header, 40)
            (kind,) = struct.unpack_from(f"{order}h", header, 70)
            (offset,) = struct.unpack_from(f"{order}f", header, 108)
        elif size == 540:
            dim = struct.unpack_from(f"{order}8q", header, 16)
            (kind,) = struct.unpack_from(f"{order}h", header, 12)
            (offset,) = struct.unpack_from(f"{order}q", header, 168)
        else:
            continue
        if not 1 <= dim[0] <= 7 or not math.isfinite(offset) or kind not in _TYPE_BYTES:
            return None
        voxels = math.prod(max(1, length) for length in dim[1 : dim[0] + 1])
        floats = {_FLOAT32: "f4", _FLOAT64: "f8"}
        dtype = np.dtype(order + floats[kind]) if kind in floats else None
        return _NiftiLayout(max(int(offset), size), voxels * _TYPE_BYTES[kind], dtype)
    return None


def _jpeg_whole(path: Path) -> bool:
    """The end marker must come after the last start of a scan; a preview inside has both before the picture's own."""
    end = path.stat().st_size
    with path.open("rb") as stream:
        last = b""
        while end > 0:
            start = max(0, end - _PIECE)
            stream.seek(start)
            piece = stream.read(end - start) + last  # with the first byte of the piece behind, for split markers
            scan = piece.rfind(b"\xff\xda")
            if (whole := piece.rfind(b"\xff\xd9")) >= 0 or scan >= 0:
                return whole > scan
            end, last = start, piece[:1]
    return False
