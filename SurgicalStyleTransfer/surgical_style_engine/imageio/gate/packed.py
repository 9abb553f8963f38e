"""Compressed bytes, unpacked a small piece at a time and never further than is asked."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_CHUNK = 1 << 20
_PIECE = 1 << 22  # bytes that one piece is unpacked to at most
_MAGIC = b"\x1f\x8b"
AUTOMATIC = 47  # zlib's number for "zlib or gzip, whichever it is"
GZIP = 31
RAW = -15  # neither


def inflated(stream: BinaryIO, wbits: int = AUTOMATIC, chunk: int = _CHUNK) -> Iterator[bytes]:
    """Yield what a stream of deflate unpacks to, gzip files of several members included.

    Anything that is no member at the end is ignored, as gzip itself does.

    Args:
        stream: At the beginning of the compressed bytes.
        wbits: As of ``zlib.decompressobj``.
        chunk: Bytes that are read at once.

    Raises:
        zlib.error: For a bad checksum or an unfinished member.
        OSError: Where the stream cannot be read.
    """
    member, pending = zlib.decompressobj(wbits), stream.read(chunk)
    while pending:
        data = member.decompress(pending, _PIECE)
        if data:
            yield data
        if member.eof:
            pending = member.unused_data
            if len(pending) < len(_MAGIC):
                pending += stream.read(chunk)
            if not pending.startswith(_MAGIC):
                return
            member = zlib.decompressobj(wbits)
        else:
            pending = member.unconsumed_tail or stream.read(chunk)
    while data := member.decompress(b"", _PIECE):
        yield data
    if not member.eof:
        raise zlib.error("unfinished")


def unpacked_bzip2(stream: BinaryIO) -> Iterator[bytes]:
    """Yield what a stream of bzip2 unpacks to. Raises OSError for what is damaged, EOFError for what is unfinished."""
    member = bz2.BZ2Decompressor()
    while not member.eof:
        pending = stream.read(_CHUNK) if member.needs_input else b""
        if member.needs_input and not pending:
            raise EOFError("unfinished")
        if data := member.decompress(pending, _PIECE):
            yield data


def holds(pieces: Iterator[bytes], needed: int) -> bool:
    """Whether pieces come to as many bytes, and are sound up to the next piece or, with its checksum, to the end."""
    count = 0
    try:
        for piece in pieces:
            count += len(piece)
            if count >= needed:
                next(pieces, None)
                return True
    except (zlib.error, EOFError, OSError, ValueError):
        return False
    return count >= needed
