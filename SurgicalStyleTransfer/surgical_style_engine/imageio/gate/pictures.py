"""PNG, JPEG and TIFF: the size that a header claims, and TIFF directories that go round in circles."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import JPEG_ENDINGS, last_part

from .room import MOST_BY_DEFLATE, check_room

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_PNG_BITS = {1, 2, 4, 8, 16}
_MOST_BY_JPEG = 4096  # bytes out of one: runs of blocks without a bit of their own
_MOST_BETWEEN = 1 << 16  # bytes between two segments
_MOST_OF_SIZE, _MOST_BESIDE = 4, 64 << 20  # a picture's file is no larger than so many times its pixels, and previews
_MOST_PAGES = 10_000
_MOST_ENTRIES = 4096  # of a TIFF page
_WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _STRIP_BYTES, _TILE_BYTES = 256, 257, 258, 259, 277, 279, 325
_COLOUR, _PALETTE = 262, 320
_LOOKED_AT = (_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _STRIP_BYTES, _TILE_BYTES, _COLOUR, _PALETTE)
_BY_PALETTE = 3  # of the kinds of colour


def check_picture_file(path: Path) -> None:
    """Refuse a picture that claims more pixels than it holds or this machine can, or whose pages never end.

    Raises:
        InputError: With one sentence.
        OSError: Where it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        try:
            if last_part(path) == ".png":
                unpacked, most = _png(stream), float(MOST_BY_DEFLATE)
            elif last_part(path) in JPEG_ENDINGS:
                unpacked, most = _jpeg(stream), _MOST_BY_JPEG
            else:
                unpacked, most = _tiff(stream, size)
        except (struct.error, ValueError, OverflowError):
            raise InputError(f"The file {path} is damaged, or not what its name says.") from None
    if last_part(path) in (".png", *JPEG_ENDINGS) and size > _MOST_OF_SIZE * unpacked + _MOST_BESIDE:
        raise InputError(f"The file {path} holds far more than its header says.")
    check_room(path, unpacked, size, most)


def _png(stream: BinaryIO) -> int:
    head = stream.read(33)
    if not head.startswith(_PNG) or head[12:16] != b"IHDR":
        raise ValueError("no PNG")
    width, height, bits, colour = struct.unpack_from(">IIBB", head, 16)
    if not (width and height) or bits not in _PNG_BITS or colour not in _PNG_SAMPLES:
        raise ValueError("no size")
    return height * (1 + (width * bits * _PNG_SAMPLES[colour] + 7) // 8)


def _jpeg(stream: BinaryIO) -> int:
    """By the largest frame header, be it a preview's: markers come one after the other up to the first scan."""
    if stream.read(2) != b"\xff\xd8":
        raise ValueError("no JPEG")
    while True:
        between = 0
        while stream.read(1) not in (b"\xff", b""):
            between += 1  # what some programs leave between segments
            if between > _MOST_BETWEEN:
                raise ValueError("no segment")
        marker = stream.read(1)
        while marker == b"\xff":
            marker = stream.read(1)
        (code,) = struct.unpack("B", marker)
        if code in (0x00, 0x01, *range(0xD0, 0xD9)):
            continue
        if code in (0xD9, 0xDA):
            raise ValueError("no frame")
        (length,) = struct.unpack(">H", stream.read(2))
        if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            _, height, width, components = struct.unpack(">BHHB", stream.read(6))
            if not (width and components):
                raise ValueError("no size")
            return width * height * components
        stream.seek(length - 2, 1)


def _tiff(stream: BinaryIO, size: int) -> tuple[int, float]:
    """Bytes of all pages, and by how much their compression can shrink anything."""
    order = {b"II": "<", b"MM": ">"}.get(stream.read(2))
    if order is None:
        raise ValueError("no TIFF")
    (version,) = struct.unpack(f"{order}H", stream.read(2))
    is_big = version == 43
    if version not in (42, 43):
        raise ValueError("no TIFF")
    if is_big:
        stream.seek(8)
    word = f"{order}{'Q' if is_big else 'I'}"
    (place,) = struct.unpack(word, stream.read(struct.calcsize(word)))
    seen: set[int] = set()
    unpacked, most = 0, 1.0
    while place:
        if place in seen or place >= size or len(seen) >= _MOST_PAGES:
            raise ValueError("pages without end")
        seen.add(place)
        stream.seek(place)
        page, place = _directory(stream, order, is_big, size)
        bytes_of_page = _page_bytes(page)
        if page.get(_COLOUR) == _BY_PALETTE and _PALETTE not in page:
            raise ValueError("numbers of colours that are not there")
        if page.get(_COMPRESSION, 1) != 1:
            most = _MOST_BY_JPEG
        elif bytes_of_page > page.get(_STRIP_BYTES, 0) + page.get(_TILE_BYTES, 0) > 0:
            raise ValueError("strips too short")
        unpacked += bytes_of_page
    return unpacked, most


def _page_bytes(page: dict[int, int]) -> int:
    width, height = page.get(_WIDTH, 0), page.get(_HEIGHT, 0)
    bits = page.get(_BITS, 1)
    if not (width and height and bits):
        raise ValueError("no size")
    return height * ((width * bits * page.get(_SAMPLES, 1) + 7) // 8)


def _directory(stream: BinaryIO, order: str, is_big: bool, size: int) -> tuple[dict[int, int], int]:
    """The numbers of one page by tag (of several, the first; of lengths of strips and tiles, the sum), and the next."""
    count_form, entry_form = (f"{order}Q", f"{order}HHQ") if is_big else (f"{order}H", f"{order}HHI")
    value_bytes = 8 if is_big else 4
    (count,) = struct.unpack(count_form, stream.read(struct.calcsize(count_form)))
    entry_bytes = struct.calcsize(entry_form) + value_bytes
    if count > _MOST_ENTRIES:
        raise ValueError("too many entries")
    entries = stream.read(count * entry_bytes)
    word = f"{order}{'Q' if is_big else 'I'}"
    (following,) = struct.unpack(word, stream.read(value_bytes))
    page: dict[int, int] = {}
    for index in range(count):
        tag, kind, numbers = struct.unpack_from(entry_form, entries, index * entry_bytes)
        value = entries[(index + 1) * entry_bytes - value_bytes : (index + 1) * entry_bytes]
        if tag not in _LOOKED_AT:
            continue
        if kind not in _WHOLE_NUMBERS or not 0 < numbers <= size:
            raise ValueError("an odd number")
        length = numbers * struct.calcsize(f"={_WHOLE_NUMBERS[kind]}")
        if length > value_bytes:
            (place,) = struct.unpack(word, value)
            stream.seek(place)
            value = stream.read(length)
        listed = struct.unpack_from(f"{order}{numbers}{_WHOLE_NUMBERS[kind]}", value)
        page[tag] = sum(listed) if tag in (_STRIP_BYTES, _TILE_BYTES) else listed[0]
    return page, following
