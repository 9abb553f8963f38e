"""The bytes of files that may be compressed by gzip, a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .gate.packed import GZIP, inflated

_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20


def is_gzip(path: Path) -> bool:
    """Whether a file begins as gzip files do. Raises OSError."""
    with path.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def plain_bytes(path: Path) -> Iterator[bytes]:
    """Yield the file's bytes, uncompressed if it is a gzip file of one or more members.

    Anything that is no gzip member at the end is ignored, as gzip itself does.

    Raises:
        zlib.error: For a bad checksum or an unfinished member.
        OSError: Where the file cannot be read.
    """
    packed = is_gzip(path)
    with path.open("rb") as stream:
        if packed:
            yield from inflated(stream, GZIP, _CHUNK)
            return
        while piece := stream.read(_CHUNK):
            yield piece
