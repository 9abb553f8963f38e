"""The numbers by which a NIfTI file states its place, kept so that a file on the same grid states it in the same bits.

ITK computes both forms anew from spacing and direction, which moves them by one step of single precision.
"""

from __future__ import annotations

import gzip
import math
import shutil
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.volumes.volume import Volume

_FIELDS = {76: "4f", 252: "2h", 256: "6f", 280: "12f"}  # by offset: qfac and voxel size, codes, qform, sform
_LENGTH = 348


@dataclass(frozen=True)
class StatedPlace:
    """What a header says of its place, and for which grid.

    Attributes:
        numbers: The fields of ``_FIELDS``, in their order.
        spacing: As of the volume, mm.
        corner: As of the volume's first voxel, mm LPS.
        direction: As of the volume, row by row.
    """

    numbers: tuple[tuple[float, ...], ...]
    spacing: tuple[float, ...] = ()
    corner: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()

    def holds_for(self, volume: Volume) -> bool:
        """Whether the volume still lies where the file put it, to the last bit."""
        return self == _of(self, volume)


def read_stated(data: bytes | bytearray, order: str) -> StatedPlace | None:
    """Take the numbers out of a header.

    Args:
        data: A header of version 1.
        order: Its byte order, "<" or ">".

    Returns:
        The place; None where a number is none.
    """
    numbers = tuple(struct.unpack_from(order + form, data, offset) for offset, form in _FIELDS.items())
    return StatedPlace(numbers) if all(math.isfinite(number) for group in numbers for number in group) else None


def with_stated(volume: Volume, stated: StatedPlace | None) -> Volume:
    """Return the volume with what its file states."""
    return volume if stated is None else replace(volume, stated=_of(stated, volume))


def stated_of(volume: Volume) -> StatedPlace | None:
    """Return what a NIfTI file on the volume's grid is to state; None where the grid was not read from one."""
    stated = volume.stated
    return stated if isinstance(stated, StatedPlace) and stated.holds_for(volume) else None


def write_stated(path: Path, stated: StatedPlace) -> None:
    """Put the numbers into an uncompressed file of version 1, little or big endian. Raises OSError, ValueError."""
    with path.open("rb+") as stream:
        data = bytearray(stream.read(_LENGTH))
        order = next((order for order in "<>" if struct.unpack_from(f"{order}i", data)[0] == _LENGTH), None)
        if order is None:
            raise ValueError("no header of version 1")
        for (offset, form), numbers in zip(_FIELDS.items(), stated.numbers, strict=True):
            struct.pack_into(order + form, data, offset, *numbers)
        stream.seek(0)
        stream.write(data)


def compress(plain: Path, packed: Path, level: int) -> None:
    """Write a gzip file of another one, a piece at a time. Raises OSError."""
    with plain.open("rb") as source, packed.open("wb") as target:
        with gzip.GzipFile("", "wb", level, target, mtime=0) as stream:
            shutil.copyfileobj(source, stream, 1 << 20)


def _of(stated: StatedPlace, volume: Volume) -> StatedPlace:
    def plain(numbers: Sequence[float] | np.ndarray[Any, Any]) -> tuple[float, ...]:
        return tuple(float(number) for number in np.ravel(numbers))

    return replace(
        stated, spacing=plain(volume.spacing), corner=plain(volume.origin), direction=plain(volume.direction)
    )
