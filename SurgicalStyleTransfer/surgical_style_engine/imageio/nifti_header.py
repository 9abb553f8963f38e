"""What a NIfTI file says of its place: it may say so twice, and ITK gives only what it chose.

ITK 5.4, and 3D Slicer with it, takes the sform if its code is 1 (scanner) and its axes are at right angles, else the
qform where there is one; voxel sizes always are pixdim's. nibabel, FSL, SPM and FreeSurfer take the sform wherever it
has a code.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError

from .gzip_bytes import plain_bytes
from .nifti_stated import StatedPlace, read_stated

_LENGTH = 348
_MOST_BYTES = 32  # of a voxel, of the largest type
_MM = {1: 1e3, 3: 1e-3}  # by the code of units; millimetres where there is none
_LONGEST_QUATERNION = 1.01  # squared, of its three numbers that are stored
_DIM, _PIXDIM, _OFFSET, _UNITS, _CODES, _QUATERN, _SROW = 40, 76, 108, 123, 252, 256, 280  # offsets in bytes


@dataclass(frozen=True)
class NiftiHeader:
    """Part of a header of version 1.

    Attributes:
        dimension: Of the image.
        size: (x, y, z) in voxels, 1 where the image has no such axis.
        qform: (3, 4) from voxel (x, y, z) to mm LPS; None where the file sets none.
        sform: As ``qform``.
        stated: The numbers of both; None where they are not in mm, or none.
    """

    dimension: int
    size: tuple[int, int, int]
    qform: np.ndarray | None
    sform: np.ndarray | None
    stated: StatedPlace | None = None

    @property
    def forms(self) -> dict[str, np.ndarray]:
        """Those that are set, by name; the one most programs prefer comes first."""
        return {name: form for name, form in (("sform", self.sform), ("qform", self.qform)) if form is not None}


def read_nifti_header(path: Path) -> NiftiHeader | None:
    """Read what a file says of its place.

    Args:
        path: A NIfTI file, compressed or not.

    Returns:
        The header; None for other formats (NIfTI-2, Analyze).

    Raises:
        OSError: Where the file cannot be read.
        zlib.error: For damaged compression.
        InputError: Where the voxels are said to begin within the header, the axes to be turned by no rotation, or
            a place that is not finite.
    """
    data = _start(path)
    order = _order(data)
    if order is None:
        return None
    (offset,) = struct.unpack_from(f"{order}f", data, _OFFSET)
    if offset < _LENGTH:  # ITK would take part of the header for voxels, and all others a few voxels further on
        raise InputError(f"The file {path} says that its voxels begin within its header.")
    dim = struct.unpack_from(f"{order}8h", data, _DIM)
    pixdim = struct.unpack_from(f"{order}8f", data, _PIXDIM)
    qcode, scode = struct.unpack_from(f"{order}2h", data, _CODES)
    mm = _MM.get(data[_UNITS] & 7, 1.0)
    x, y, z = (max(1, length) if axis < dim[0] else 1 for axis, length in enumerate(dim[1:4]))
    qform = sform = None
    if qcode > 0:
        quaternion = struct.unpack_from(f"{order}6f", data, _QUATERN)
        if scode <= 0 and not np.square(quaternion[:3]).sum() <= _LONGEST_QUATERNION:
            raise InputError(f"The file {path} states directions (qform) that are no rotation.")
        qform = _to_lps(_quaternion_form(quaternion, pixdim), mm)
    if scode > 0:
        rows = struct.unpack_from(f"{order}12f", data, _SROW)
        if not np.isfinite(rows).all():  # ITK can search for a rotation beside them without end
            raise InputError(f"The file {path} states a place (sform) that is not finite.")
        sform = _to_lps(np.reshape(rows, (3, 4)), mm)
    return NiftiHeader(dim[0], (x, y, z), qform, sform, read_stated(data, order) if mm == 1.0 else None)


def as_volume(path: Path) -> bytes:
    """Return the bytes of a file of two dimensions as those of a volume of one slice, not compressed.

    ITK drops what a plane image says of the third axis, and refuses planes that are not axial.
    """
    data, most = bytearray(), None
    for piece in plain_bytes(path):
        data += piece
        if most is None and (order := _order(data)) is not None:
            (offset,) = struct.unpack_from(f"{order}f", data, _OFFSET)
            width, height = struct.unpack_from(f"{order}2h", data, _DIM + 2)
            most = offset + width * height * _MOST_BYTES
        if most is not None and len(data) > most:
            break  # nobody reads further
    order = _order(data)
    if order is None:
        raise ValueError("not a header of version 1, which the caller has read")
    struct.pack_into(f"{order}h", data, _DIM, 3)
    struct.pack_into(f"{order}h", data, _DIM + 6, 1)
    (thickness,) = struct.unpack_from(f"{order}f", data, _PIXDIM + 12)
    if not (math.isfinite(thickness) and thickness > 0):
        thickness = 1.0
        struct.pack_into(f"{order}f", data, _PIXDIM + 12, thickness)
    rows = np.reshape(struct.unpack_from(f"{order}12f", data, _SROW), (3, 4))
    normal = np.cross(rows[:, 0], rows[:, 1])
    length = float(np.linalg.norm(normal))
    if length > 0 and not rows[:, 2].any():
        rows[:, 2] = normal * (thickness / length)
        struct.pack_into(f"{order}12f", data, _SROW, *rows.ravel())
    return bytes(data)


def _start(path: Path) -> bytes:
    data = b""
    for chunk in plain_bytes(path):
        data += chunk
        if len(data) >= _LENGTH:
            break
    return data[:_LENGTH]


def _order(data: bytes | bytearray) -> str | None:
    """Byte order of a single-file header of version 1; None if it is none."""
    if len(data) < _LENGTH or data[344:347] != b"n+1":
        return None
    return next((order for order in "<>" if struct.unpack_from(f"{order}i", data)[0] == _LENGTH), None)


def _quaternion_form(values: tuple[float, ...], pixdim: tuple[float, ...]) -> np.ndarray:
    """(3, 4) by the standard's formula (method 2)."""
    b, c, d = values[:3]
    rest = 1 - (b * b + c * c + d * d)
    if rest < 1e-7:  # half a turn, but for rounding
        length = math.sqrt(b * b + c * c + d * d)
        a, b, c, d = 0.0, b / length, c / length, d / length
    else:
        a = math.sqrt(rest)
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    spacing = np.array([size if size > 0 else 1.0 for size in pixdim[1:4]])
    spacing[2] *= -1 if pixdim[0] < 0 else 1
    return np.column_stack([turn * spacing, values[3:]])


def _to_lps(form: np.ndarray, mm: float) -> np.ndarray:
    return np.diag([-1.0, -1.0, 1.0]) @ (form * mm)
