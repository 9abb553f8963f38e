"""The bytes of files that may be compressed by gzip, a piece at a time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20


def plain_bytes(path: Path) -> Iterator[bytes]:
    """Yield the file's bytes, uncompressed if it is a gzip file of one or more members.

    Anything that is no gzip member at the end is ignored, as gzip itself does.

    Raises:
        zlib.error: For a bad checksum or an unfinished member.
        OSError: Where the file cannot be read.
    """
    with path.open("rb") as stream:
        pending = stream.read(_CHUNK)
        if not pending.startswith(_MAGIC):
            while pending:
                yield pending
                pending = stream.read(_CHUNK)
            return
        member = zlib.decompressobj(wbits=31)
        while pending:
            data = member.decompress(pending)
            if data:
                yield data
            if member.eof:
                pending = member.unused_data
                if len(pending) < len(_MAGIC):
                    pending += stream.read(_CHUNK)
                if not pending.startswith(_MAGIC):
                    return
                member = zlib.decompressobj(wbits=31)
            else:
                pending = stream.read(_CHUNK)
    raise zlib.error("unfinished")
