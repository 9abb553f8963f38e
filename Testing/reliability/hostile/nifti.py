"""NIfTI files that lie about themselves."""

import gzip
import struct

import numpy as np

from .registry import READ, REFUSED, add, altered, gzipped_zeros, written

SIZE = (6, 5, 4)
VOXELS = np.arange(120, dtype="<i2").tobytes()
NAN, INFINITE = float("nan"), float("inf")


def header(dim=(3, *SIZE, 1, 1, 1, 1), kind=4, bits=16, offset=352.0, **fields) -> bytes:
    """A header of version 1 with its four bytes of "no extension"."""
    data = bytearray(352)
    struct.pack_into("<i", data, 0, fields.get("length", 348))
    struct.pack_into("<8h", data, 40, *dim)
    struct.pack_into("<2h", data, 70, kind, bits)
    struct.pack_into("<8f", data, 76, *fields.get("pixdim", (1, 1, 1, 2, 1, 1, 1, 1)))
    struct.pack_into("<f", data, 108, offset)
    struct.pack_into("<2f", data, 112, *fields.get("scale", (1, 0)))
    data[123] = fields.get("units", 2)
    data[148:228] = fields.get("description", b"").ljust(80, b"\0")
    struct.pack_into("<2h", data, 252, *fields.get("codes", (1, 1)))
    struct.pack_into("<6f", data, 256, *fields.get("quatern", (0, 0, 0, 0, 0, 0)))
    struct.pack_into("<12f", data, 280, *fields.get("srow", (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0)))
    data[344:348] = fields.get("magic", b"n+1\0")
    data[348:352] = fields.get("extension", b"\0\0\0\0")
    return bytes(data)


def whole(**fields) -> bytes:
    return header(**fields) + VOXELS


HUGE = 30_000
add("nifti/good", written("v.nii", whole()), READ)
HEADERS = {
    "one-byte-short": whole()[:-1],
    "half": whole()[: 352 + 120],
    "header-only": header(),
    "header-cut": whole()[:200],
    "huge": whole(dim=(3, HUGE, HUGE, HUGE, 1, 1, 1, 1)),
    "four-dimensions": whole(dim=(4, 6, 5, 2, 2, 1, 1, 1)),
    "unknown-type": whole(kind=999),
    "type-and-bits-disagree": whole(kind=64, bits=16),
    "no-type": whole(kind=0, bits=0),
    "complex": whole(kind=32, bits=64) + bytes(960),
    "bits-of-zero": whole(kind=16, bits=0),
    "nan-offset": whole(offset=NAN),
    "infinite-offset": whole(offset=INFINITE),
    "offset-behind-the-end": whole(offset=1e9),
    "nan-sform": whole(srow=(NAN,) * 12),
    "nan-origin": whole(srow=(1, 0, 0, NAN, 0, 1, 0, 0, 0, 0, 2, 0)),
    "infinite-origin": whole(srow=(1, 0, 0, INFINITE, 0, 1, 0, 0, 0, 0, 2, 0)),
    "flat-sform": whole(srow=(0,) * 12, codes=(0, 1)),
    "flat-sform-of-nan-origin": whole(srow=(0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, NAN)),  # ITK hangs
    "nan-voxels": header(kind=16, bits=32) + np.full(120, np.nan, "<f4").tobytes(),
    "other-magic": whole(magic=b"xyz\0"),
    "length-of-0": whole(length=0),
    "random": bytes(np.random.default_rng(0).integers(0, 256, 900, np.uint8)),
    "random-behind-a-length": struct.pack("<i", 348) + bytes(np.random.default_rng(1).integers(0, 256, 900, np.uint8)),
    "no-dimensions": whole(dim=(0, *SIZE, 1, 1, 1, 1)),
    "eight-dimensions": whole(dim=(8, *SIZE, 1, 1, 1, 1)),
    "negative-dimension-count": whole(dim=(-3, *SIZE, 1, 1, 1, 1)),
    "negative-size": whole(dim=(3, -6, 5, 4, 1, 1, 1, 1)),
    "size-of-zero": whole(dim=(3, 0, 5, 4, 1, 1, 1, 1)),
    "negative-spacing": whole(pixdim=(1, -1, -1, -2, 1, 1, 1, 1)),
    "negative-offset": whole(offset=-1000.0),
    "offset-in-the-header": whole(offset=0.0),
    "quaternion-too-long": whole(quatern=(5, 5, 5, 0, 0, 0), codes=(1, 0)),
    "quaternion-nan": whole(quatern=(NAN, 0, 0, 0, 0, 0), codes=(1, 0)),
    "one-dimension": whole(dim=(1, 120, 0, 0, 0, 0, 0, 0)),
    "pair-in-one-file": whole(magic=b"ni1\0"),
    "slope-of-1e30": whole(scale=(1e30, 0)),
}
TOLERATED = {
    "infinite-slope": whole(scale=(INFINITE, 0)),
    "nan-slope": whole(scale=(NAN, 0)),
    "infinite-spacing": whole(pixdim=(1, INFINITE, 1, 2, 1, 1, 1, 1)),
    "nan-spacing": whole(pixdim=(1, NAN, 1, 2, 1, 1, 1, 1)),
    "bits-negative": whole(bits=-16),
    "spacing-of-zero": whole(pixdim=(1, 0, 0, 0, 1, 1, 1, 1)),
    "no-slope": whole(scale=(0, 0)),
    "endless-extension": whole(extension=b"\1\0\0\0"),
    "rgba": header(kind=2304, bits=32) + bytes(480),
    "rgb": header(kind=128, bits=24) + bytes(360),
    "escapes-in-the-description": whole(description=b"\x1b]0;owned\x07\x1b[31m"),
    "voxels-behind-the-end": whole() + bytes(5000),
    "one-voxel": header(dim=(3, 1, 1, 1, 1, 1, 1, 1)) + bytes(2),
    "plane-with-nan-spacing": whole(dim=(2, 12, 10, 1, 1, 1, 1, 1), pixdim=(1, 1, 1, NAN, 1, 1, 1, 1)),
}
for _cases, _expected in ((HEADERS, REFUSED), (TOLERATED, READ)):
    for _name, _data in _cases.items():
        add(f"nifti/{_name}", written("v.nii", _data), _expected)

PACKED = gzip.compress(whole(), mtime=0)
GZIP = {
    "cut": PACKED[:-20],
    "bad-checksum": altered(PACKED, (len(PACKED) - 8, b"\0\0\0\0")),
    "header-then-nothing": gzip.compress(header(), mtime=0),
    "bomb-behind-the-voxels": lambda: PACKED + gzipped_zeros(40) * 5,
    "bomb-in-one-member": lambda: gzip.compress(whole() + bytes(200 << 20), 6, mtime=0),
    "huge-and-short": gzip.compress(whole(dim=(3, HUGE, HUGE, HUGE, 1, 1, 1, 1)), mtime=0),
    "huge-and-zeros": lambda: (
        gzip.compress(header(dim=(3, 2000, 2000, 600, 1, 1, 1, 1)), mtime=0) + gzipped_zeros(40) * 3
    ),
    "gzip-in-gzip": gzip.compress(PACKED, mtime=0),
    "no-gzip-inside": b"\x1f\x8b" + bytes(200),
    "plane-bomb": lambda: (
        gzip.compress(header(dim=(2, 12, 10, 1, 1, 1, 1, 1)) + VOXELS, mtime=0) + gzipped_zeros(40) * 5
    ),
}
for _name, _data in GZIP.items():
    add(f"nifti-gz/{_name}", written("v.nii.gz", _data))
add("nifti-gz/good", written("v.nii.gz", PACKED), READ)
