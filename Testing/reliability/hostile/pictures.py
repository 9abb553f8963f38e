"""PNG, JPEG and TIFF files that lie about themselves."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from .registry import READ, add, altered, written, zeros

GREY = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)


def saved(kind: str, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(width=30, height=20, bits=8, colour=0, data=None, end=True, interlace=0) -> bytes:
    rows = b"".join(b"\0" + GREY[y].tobytes() for y in range(20))
    data = zlib.compress(rows) if data is None else data
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", data)
    return b"\x89PNG\r\n\x1a\n" + body + (chunk(b"IEND", b"") if end else b"")


add("png/good", written("p.png", png()), READ)
PNG = {
    "huge": png(2_000_000_000, 2_000_000_000),
    "wide": png(65535, 65535),
    "taller-than-its-data": png(30, 4000),
    "no-width": png(0, 20),
    "no-bits": png(bits=0),
    "odd-bits": png(bits=7),
    "odd-colour": png(colour=5),
    "cut": png()[:-30],
    "data-cut": png(data=zlib.compress(GREY.tobytes())[:40]),
    "data-nonsense": png(data=GREY.tobytes()),
    "no-data": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 30, 20, 8, 0, 0, 0, 0)),
    "palette-missing": png(colour=3),
    "head-only": png()[:20],
    "bomb": lambda: png(30_000, 30_000, data=zeros(100)),
    "random": b"\x89PNG\r\n\x1a\n" + bytes(np.random.default_rng(4).integers(0, 256, 900, np.uint8)),
    "no-end": png(end=False),
    "wrong-checksum": altered(png(), (len(png()) - 16, b"\0\0\0\0")),
    "interlaced-but-not": png(interlace=1),
}
for _name, _data in PNG.items():
    add(f"png/{_name}", written("p.png", _data))
PNG_TOLERATED = {
    "text-bomb": lambda: png()[:33] + chunk(b"zTXt", b"a\0\0" + zeros(40)) + png()[33:],
    "escapes-in-the-text": png()[:33] + chunk(b"tEXt", b"Title\0\x1b]0;owned\x07") + png()[33:],
}
for _name, _data in PNG_TOLERATED.items():
    add(f"png/{_name}", written("p.png", _data), READ)

JPEG = saved("JPEG")
add("jpeg/good", written("p.jpg", JPEG), READ)
FRAME = JPEG.index(b"\xff\xc0") + 5  # height, width
SCAN = JPEG.index(b"\xff\xda")
JPEGS = {
    "huge": altered(JPEG, (FRAME, b"\xff\xff\xff\xff")),
    "no-height": altered(JPEG, (FRAME, b"\0\0")),
    "no-components": altered(JPEG, (FRAME + 4, b"\0")),
    "many-components": altered(JPEG, (FRAME + 4, b"\xff")),
    "cut": JPEG[: SCAN + 60],
    "head-only": JPEG[:40],
    "no-scan": JPEG[:SCAN] + b"\xff\xd9",
    "no-tables": JPEG.replace(b"\xff\xdb", b"\xff\xec").replace(b"\xff\xc4", b"\xff\xed"),
    "random": b"\xff\xd8\xff" + bytes(np.random.default_rng(5).integers(0, 256, 900, np.uint8)) + b"\xff\xd9",
    "a-page-of-html": b"<html><script>alert(1)</script></html>",
}
for _name, _data in JPEGS.items():
    add(f"jpeg/{_name}", written("p.jpg", _data))
# libjpeg fills what a scan leaves out with grey, and says so only to its own log.
add("jpeg/taller-than-its-data", written("p.jpg", altered(JPEG, (FRAME, b"\x20\x00"))), READ)
add("jpeg/zeros-in-the-scan", written("p.jpg", JPEG[: SCAN + 20] + bytes(300) + b"\xff\xd9"), READ)


def tiff(entries: dict[int, tuple[int, int, int]], data: bytes, following: int = 0) -> bytes:
    """Little endian, one directory at byte 8; entries: tag -> (type, count, value); data at byte 400."""
    listed = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items()))
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + listed + struct.pack("<I", following)
    return head.ljust(400, b"\0") + data


ENTRIES = {
    256: (3, 1, 30),
    257: (3, 1, 20),
    258: (3, 1, 8),
    259: (3, 1, 1),
    262: (3, 1, 1),
    273: (4, 1, 400),
    277: (3, 1, 1),
    278: (3, 1, 20),
    279: (4, 1, 600),
}


def changed(following: int = 0, data: bytes = GREY.tobytes(), **tags) -> bytes:
    entries = {**ENTRIES, **{int(tag[1:]): value for tag, value in tags.items()}}
    return tiff({tag: value for tag, value in entries.items() if value is not None}, data, following)


add("tiff/good", written("p.tif", changed()), READ)
TIFF = {
    "directory-points-to-itself": changed(following=8),
    "directories-in-a-circle": altered(changed(following=1100), (0, b"II*\0"))
    + bytes(100)
    + struct.pack("<H", 1)
    + struct.pack("<HHII", 256, 3, 1, 30)
    + struct.pack("<I", 8),
    "directory-behind-the-end": altered(changed(), (4, struct.pack("<I", 100_000))),
    "many-entries": altered(changed(), (8, b"\xff\xff")),
    "huge": changed(t256=(4, 1, 2_000_000_000), t257=(4, 1, 2_000_000_000)),
    "wide": changed(t256=(4, 1, 65535), t257=(4, 1, 65535), t278=(4, 1, 65535)),
    "no-width": changed(t256=(3, 1, 0)),
    "no-strips": changed(t273=None, t279=None),
    "strip-behind-the-end": changed(t273=(4, 1, 100_000)),
    "strip-cut": changed(data=GREY.tobytes()[:-100]),
    "strip-shorter-than-its-rows": changed(t279=(4, 1, 100)),
    "strip-table-huge": changed(t273=(4, 1_000_000_000, 400), t279=(4, 1_000_000_000, 400)),
    "no-bits": changed(t258=(3, 1, 0)),
    "odd-bits": changed(t258=(3, 1, 13)),
    "many-bits": changed(t258=(3, 1, 60000)),
    "many-samples": changed(t277=(3, 1, 60000)),
    "unknown-compression": changed(t259=(3, 1, 12345)),
    "deflate-nonsense": changed(t259=(3, 1, 8)),
    "deflate-bomb": lambda: changed(
        t256=(4, 1, 40_000),
        t257=(4, 1, 40_000),
        t278=(4, 1, 40_000),
        t259=(3, 1, 8),
        t279=(4, 1, len(zeros(100))),
        data=zeros(100),
    ),
    "lzw-nonsense": changed(t259=(3, 1, 5)),
    "jpeg-inside-nonsense": changed(t259=(3, 1, 7)),
    "head-only": changed()[:12],
    "random": b"II*\0\x08\0\0\0" + bytes(np.random.default_rng(6).integers(0, 256, 900, np.uint8)),
    "no-rows-a-strip": changed(t278=(3, 1, 0)),
    "tiles-of-zero": changed(t322=(3, 1, 0), t323=(3, 1, 0), t324=(4, 1, 400), t325=(4, 1, 600)),
    "palette-missing": changed(t262=(3, 1, 3)),
}
for _name, _data in TIFF.items():
    add(f"tiff/{_name}", written("p.tif", _data))
TIFF_TOLERATED = {
    "escapes-in-the-text": changed(t270=(2, 4, int.from_bytes(b"\x1b[3m", "little"))),
    "text-behind-the-end": changed(t270=(2, 100_000, 300)),
}
for _name, _data in TIFF_TOLERATED.items():
    add(f"tiff/{_name}", written("p.tif", _data), READ)
