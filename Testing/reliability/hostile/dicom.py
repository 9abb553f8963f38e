"""Single DICOM files that lie about themselves."""

import struct
import zlib
from pathlib import Path

import numpy as np

from .registry import READ, REFUSED, add, altered, written

ROWS, COLUMNS = 12, 10
VOXELS = np.arange(ROWS * COLUMNS, dtype="<u2").tobytes()
MR, CR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.1"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
DEFLATED, RLE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
JPEG, JPEG_LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
LONG = {"OB", "OW", "SQ", "UN", "UT", "OF", "UC", "UR"}
UNDEFINED = 0xFFFFFFFF


def element(tag: int, vr: str, value, length: int | None = None) -> bytes:
    """One element, explicit little endian."""
    if isinstance(value, str):
        value = value.encode("latin-1")
    elif isinstance(value, int):
        value = struct.pack("<H" if vr == "US" else "<I", value)
    value += b"" if len(value) % 2 == 0 else b"\0" if vr in ("UI", "OB") else b" "
    length = len(value) if length is None else length
    sizes = struct.pack("<HI", 0, length) if vr in LONG else struct.pack("<H", length & 0xFFFF)
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode() + sizes + value


def parts(**changes) -> dict[int, bytes]:
    """The elements of a slice by tag; ``changes``: t00280010=(vr, value), or None."""
    values = {
        0x00080016: ("UI", MR),
        0x00080018: ("UI", "1.2.3.4.5"),
        0x00080060: ("CS", "MR"),
        0x0008103E: ("LO", "t1"),
        0x00100010: ("PN", "Doe^Jane"),
        0x00100020: ("LO", "ID-4711"),
        0x00180050: ("DS", "2"),
        0x0020000D: ("UI", "1.2"),
        0x0020000E: ("UI", "1.2.3"),
        0x00200013: ("IS", "1"),
        0x00200032: ("DS", r"0\0\0"),
        0x00200037: ("DS", r"1\0\0\0\1\0"),
        0x00200052: ("UI", "1.2.9"),
        0x00280002: ("US", 1),
        0x00280004: ("CS", "MONOCHROME2"),
        0x00280010: ("US", ROWS),
        0x00280011: ("US", COLUMNS),
        0x00280030: ("DS", r"1\1"),
        0x00280100: ("US", 16),
        0x00280101: ("US", 16),
        0x00280102: ("US", 15),
        0x00280103: ("US", 0),
        0x7FE00010: ("OW", VOXELS),
    }
    values |= {int(tag[1:], 16): value for tag, value in changes.items()}
    return {tag: element(tag, *value) for tag, value in sorted(values.items()) if value is not None}


def packed(body: bytes, syntax: str = EXPLICIT) -> bytes:
    meta = element(0x00020001, "OB", b"\0\1") + element(0x00020002, "UI", MR) + element(0x00020003, "UI", "1.2.3.4.5")
    meta += element(0x00020010, "UI", syntax)
    return bytes(128) + b"DICM" + element(0x00020000, "UL", len(meta)) + meta + body


def whole(syntax: str = EXPLICIT, **changes) -> bytes:
    return packed(b"".join(parts(**changes).values()), syntax)


def overlong(data: bytes, place: int) -> bytes:
    """The element there has no value representation, so that GDCM takes four bytes for its length, and allocates it."""
    return data[:place] + struct.pack("<I", 0xFFFF0055) + data[place + 4 :]


def fragments(*data: bytes) -> bytes:
    """Encapsulated PixelData with an empty table of offsets."""
    items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(part)) + part for part in (b"", *data))
    return items + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def encapsulated(syntax: str, *data: bytes, **changes) -> bytes:
    return whole(syntax, t7fe00010=("OB", fragments(*data), UNDEFINED), **changes)


def rle(plane: bytes, segments: int = 2) -> bytes:
    return struct.pack("<16I", segments, 64, 64 + len(plane) // 2, *[0] * 13) + plane


def implicit() -> bytes:
    body = b""
    for tag, data in parts().items():
        value = data[12:] if data[4:6].decode() in LONG else data[8:]
        body += struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value
    return packed(body, IMPLICIT)


add("dicom/good", written("s.dcm", whole()), READ)
add("dicom/good-implicit", written("s.dcm", implicit()), READ)


def deflated_bomb() -> bytes:
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = b"".join(parts().values())
    return packed(deflater.compress(body + bytes(200 << 20)) + deflater.flush(), DEFLATED)


NESTED = b""
for _ in range(3000):
    NESTED = element(0x00081140, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(NESTED)) + NESTED)
DAMAGED = {
    "pixels-one-byte-short": whole(t7fe00010=("OW", VOXELS[:-2])),
    "pixels-half": whole(t7fe00010=("OW", VOXELS[:120])),
    "pixels-empty": whole(t7fe00010=("OW", b"")),
    "pixels-missing": whole(t7fe00010=None),
    "file-cut": whole()[:-60],
    "implicit-cut": implicit()[:-60],
    "file-cut-in-the-header": whole()[:400],
    "rows-65535": whole(t00280010=("US", 65535), t00280011=("US", 65535)),
    "rows-65535-rle": encapsulated(RLE, rle(bytes(240)), t00280010=("US", 65535), t00280011=("US", 65535)),
    "rows-65535-jpeg-2000": encapsulated(JPEG_2000, bytes(240), t00280010=("US", 65535), t00280011=("US", 65535)),
    "no-rows": whole(t00280010=("US", 0)),
    "rows-missing": whole(t00280010=None),
    "no-samples": whole(t00280002=("US", 0)),
    "two-samples": whole(t00280002=("US", 2)),
    "many-samples": whole(t00280002=("US", 60000)),
    "three-samples-of-grey": whole(t00280002=("US", 3)),
    "bits-0": whole(t00280100=("US", 0)),
    "bits-32-of-16": whole(t00280100=("US", 32), t00280101=("US", 32), t00280102=("US", 31)),
    "bits-64-of-16": whole(t00280100=("US", 64), t00280101=("US", 64), t00280102=("US", 63)),
    "many-frames": whole(t00280008=("IS", "1000000000")),
    "frames-beyond-the-pixels": whole(t00280008=("IS", "2"), t00080016=("UI", CR), t00080060=("CS", "CR")),
    "spacing-of-zero": whole(t00280030=("DS", r"0\0")),
    "spacing-nan": whole(t00280030=("DS", r"nan\nan")),
    "spacing-of-letters": whole(t00280030=("DS", r"a\b")),
    "spacing-negative": whole(t00280030=("DS", r"-1\-1")),
    "position-nan": whole(t00200032=("DS", r"nan\0\0")),
    "position-of-two": whole(t00200032=("DS", r"0\0")),
    "parallel-axes": whole(t00200037=("DS", r"1\0\0\1\0\0")),
    "axes-of-zero": whole(t00200037=("DS", r"0\0\0\0\0\0")),
    "rle-cut": encapsulated(RLE, rle(bytes([255 - 98, 7]) * 2)),
    "rle-nonsense": encapsulated(RLE, bytes(range(200))),
    "rle-empty": encapsulated(RLE, b""),
    "rle-many-segments": encapsulated(RLE, rle(bytes(240), 4_000_000_000)),
    "jpeg-nonsense": encapsulated(
        JPEG, bytes(range(200)), t00280100=("US", 8), t00280101=("US", 8), t00280102=("US", 7)
    ),
    "jpeg-lossless-nonsense": encapsulated(JPEG_LOSSLESS, bytes(range(200))),
    "jpeg-ls-nonsense": encapsulated(JPEG_LS, bytes(range(200))),
    "jpeg-2000-nonsense": encapsulated(JPEG_2000, bytes(range(200))),
    "fragments-without-end": whole(RLE, t7fe00010=("OB", fragments(rle(bytes(240)))[:-8][:-100], UNDEFINED)),
    "no-fragments": encapsulated(RLE),
    "unknown-syntax": whole("1.2.3.4"),
    "deflated-nonsense": packed(bytes(range(200)), DEFLATED),
    "deflated-bomb": deflated_bomb,
    "palette-missing": whole(t00280004=("CS", "PALETTE COLOR"), t00280100=("US", 8), t00280101=("US", 8))[:-130],
    "endless-sequence": whole(t00081140=("SQ", b"", UNDEFINED)),
    "element-longer-than-the-file": whole(t00081140=("UN", b"abcd", 0x7FFFFFF0)),
    "slope-nan": whole(t00281052=("DS", "0"), t00281053=("DS", "nan")),
    "slope-infinite": whole(t00281052=("DS", "0"), t00281053=("DS", "inf")),
    "magic-only": bytes(128) + b"DICM",
    "random": bytes(128) + b"DICM" + bytes(np.random.default_rng(7).integers(0, 256, 900, np.uint8)),
    "slope-of-letters": whole(t00281052=("DS", "a"), t00281053=("DS", "b")),
    "slope-1e300": whole(t00281052=("DS", "0"), t00281053=("DS", "1e300")),
    "position-1e300": whole(t00200032=("DS", r"1e300\0\0")),
    "bits-7": whole(t00280100=("US", 7), t00280101=("US", 7), t00280102=("US", 6)),
    "bits-12": whole(t00280100=("US", 12), t00280101=("US", 12), t00280102=("US", 11)),
    "unknown-photometric": whole(t00280004=("CS", "BANANA")),
    "deep-sequences": whole(t00081140=("SQ", NESTED)),
    "pixels-longer": whole(t7fe00010=("OW", VOXELS * 3)),
    "head-of-4-gb": overlong(whole(), 136),
    "first-element-of-4-gb": overlong(whole(), whole().index(b"\x08\0\x16\0") + 4),
    "implicit-element-of-4-gb": overlong(implicit(), implicit().index(b"\x08\0\x16\0") + 4),
    "command-element-of-1-gb": altered(whole(), (358, b"\0\0\0\0\0\0\1\x22")),
    "no-magic-4-gb": overlong(whole()[132:], 4),
    "unknown-kind-in-the-head": altered(whole(), (148, b"M")),
    "no-beginning": b"\0\0\0\0LO\x08\0ID-4711 \x18\0\x50\0D\x08\0\xe0\x7f\0\0\0",  # 4 GB
    "pixels-of-no-kind-and-no-size": bytes.fromhex(  # 2 GB
        "000000004c4f080049442d34373131201800500044530200312028000001555302001000280001015553020010"
        "0028000201555302000f0028000301555302000000e07f10004fea0000f0007e7e7e7e7e7e7e7e7e7e7e7e7e7e"
        "7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e0000000001000200282e29002a00ed000000000000002f0030"
        "0031003200007400750076007700"
    ),
    "infinite-samples": whole(t00280002=("DS", "1e999")),
    "two-numbers-of-bits": whole(t00280100=("US", struct.pack("<2H", 16, 16))),
    "rubbish-behind-the-pixels": whole() + b"\0t\0u\0v\0w\0",  # 2 GB
    "negative-representation": whole(t00280103=("US", 9)),
    "bits-1": whole(t00280100=("US", 1), t00280101=("US", 1), t00280102=("US", 0)),
}
TOLERATED = {
    "said-to-be-rle": whole(RLE),
    "slope-of-zero": whole(t00281052=("DS", "0"), t00281053=("DS", "0")),
    "thickness-nan": whole(t00180050=("DS", "nan")),
    "bits-12-of-16": whole(t00280101=("US", 12), t00280102=("US", 11)),
    "bits-stored-17": whole(t00280101=("US", 17)),
    "high-bit-0": whole(t00280102=("US", 0)),
    "frames-negative": whole(t00280008=("IS", "-3")),
    "frames-of-letters": whole(t00280008=("IS", "abc")),
    "escapes-in-the-description": whole(t0008103e=("LO", "\x1b]0;owned\x07")),
    "pixels-and-more": whole() + bytes(4000),
    "fragments-whole": encapsulated(RLE, rle((bytes([119 & 127]) + bytes(120)) * 2)),
    "no-magic": whole()[132:],
}
for _cases, _expected in ((DAMAGED, REFUSED), (TOLERATED, READ)):
    for _name, _data in _cases.items():
        add(f"dicom/{_name}", written("s.dcm", _data), _expected)


def slices(folder: Path, count: int = 3, **changes) -> Path:
    """A folder with a series; ``changes``: of the second slice."""
    for number in range(count):
        values = {"t00200032": ("DS", rf"0\0\{2 * number}"), "t00080018": ("UI", f"1.2.3.4.{number + 1}")}
        values |= changes if number == 1 else {}
        (folder / f"s{number}.dcm").write_bytes(whole(**values))
    return folder
