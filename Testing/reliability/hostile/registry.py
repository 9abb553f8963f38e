"""The registry of hostile inputs: a case makes a file or folder, and says how reading it has to end."""

from __future__ import annotations

import functools
import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

FAMILIES = ("nifti", "meta", "nrrd", "dicom", "dicom_series", "pictures", "files")
REFUSED, READ = "refused", "read"
Maker = Callable[[Path], Path]
_CASES: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    """A hostile input.

    Attributes:
        name: "family/what".
        make: Makes it in an empty folder, and gives what is to be read.
        expected: REFUSED: one sentence. READ: what a header says in vain, or beside the image, hinders nobody: the same
            voxels come out twice.
    """

    name: str
    make: Maker
    expected: str = REFUSED


def add(name: str, make: Maker, expected: str = REFUSED) -> None:
    """Register a case; names are unique."""
    if name in _CASES:
        raise ValueError(f"two cases are called {name}")
    _CASES[name] = Case(name, make, expected)


def case(name: str, expected: str = REFUSED) -> Callable[[Maker], Maker]:
    """As ``add``, for a function."""

    def decorate(make: Maker) -> Maker:
        add(name, make, expected)
        return make

    return decorate


def cases() -> dict[str, Case]:
    """All cases by name."""
    for family in FAMILIES:
        import_module(f"reliability.hostile.{family}")
    return dict(_CASES)


def written(name: str, data: bytes | Callable[[], bytes]) -> Maker:
    """A maker of one file with these bytes, or with those that a function makes where they take a while."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data if isinstance(data, bytes) else data())
        return path

    return make


def altered(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    """Bytes with others in the place of some: (offset, bytes)."""
    changed = bytearray(data)
    for offset, part in changes:
        changed[offset : offset + len(part)] = part
    return bytes(changed)


@functools.cache
def zeros(megabytes: int) -> bytes:
    """So many zeros as deflate leaves them, a thousandth."""
    return zlib.compress(bytes(megabytes << 20), 9)


@functools.cache
def gzipped_zeros(megabytes: int) -> bytes:
    """So many zeros as a gzip file."""
    return gzip.compress(bytes(megabytes << 20), 9, mtime=0)
