"""MetaImage headers that lie, or name what they should not."""

import os
import zlib
from pathlib import Path

import numpy as np

from .registry import READ, REFUSED, add, case, written, zeros

VOXELS = np.arange(120, dtype="<i2").tobytes()


def header(file="LOCAL", **fields) -> bytes:
    values = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "0 0 0",
        "ElementSpacing": "1 1 2",
        "DimSize": "6 5 4",
        "ElementType": "MET_SHORT",
        **fields,
        "ElementDataFile": file,
    }
    return "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None).encode("latin-1")


add("meta/good", written("v.mha", header() + VOXELS), READ)
packed = zlib.compress(VOXELS)
DAMAGED = {
    "list-without-a-list": header("LIST"),
    "list-2-without-a-list": header("LIST 2"),
    "list-of-a-system-file": header("LIST") + b"/etc/passwd\n" * 4,
    "one-byte-short": header() + VOXELS[:-1],
    "no-voxels": header(),
    "huge": header(DimSize="60000 60000 60000") + VOXELS,
    "overflow": header(DimSize="4294967296 4294967296 4294967296") + VOXELS,
    "negative-size": header(DimSize="-6 5 4") + VOXELS,
    "size-of-zero": header(DimSize="0 5 4") + VOXELS,
    "two-sizes-of-three": header(DimSize="6 5") + VOXELS,
    "no-sizes": header(DimSize=None) + VOXELS,
    "sizes-of-letters": header(DimSize="a b c") + VOXELS,
    "many-dimensions": header(NDims="1000000000") + VOXELS,
    "negative-dimensions": header(NDims="-3") + VOXELS,
    "no-dimensions": header(NDims="0") + VOXELS,
    "unknown-type": header(ElementType="MET_BANANA") + VOXELS,
    "no-type": header(ElementType=None) + VOXELS,
    "no-channels": header(ElementNumberOfChannels="0") + VOXELS,
    "negative-channels": header(ElementNumberOfChannels="-1") + VOXELS,
    "many-channels": header(ElementNumberOfChannels="1000000") + VOXELS,
    "header-behind-the-end": header("v.raw", HeaderSize="100000"),
    "compressed-short": header(CompressedData="True", CompressedDataSize=str(len(packed))) + packed[:-9],
    "compressed-nonsense": header(CompressedData="True", CompressedDataSize="240") + VOXELS,
    "compressed-without-a-size": header(CompressedData="True") + packed[:-9],
    "compressed-size-negative": header(CompressedData="True", CompressedDataSize="-5") + packed,
    "compressed-size-huge": header(CompressedData="True", CompressedDataSize="99999999999") + packed,
    "compressed-too-little": header(CompressedData="True") + zlib.compress(VOXELS[:100]),
    "compressed-huge": lambda: header(CompressedData="True", DimSize="2000 2000 600") + zeros(100),
    "data-in-a-folder-above": header("../secret.raw"),
    "data-of-the-system": header("/etc/passwd", DimSize="6 5 4"),
    "data-endless": header("/dev/zero"),
    "data-of-the-terminal": header("/dev/stdin"),
    "data-missing": header("missing.raw"),
    "data-is-the-header": header("v.mha", DimSize="1 1 1000"),
    "data-is-a-folder": header("."),
    "data-without-a-name": header(""),
    "pattern-of-names": header("/etc/host%s 1 4 1"),
    "pattern-with-numbers": header("../%03d.raw 1 4 1"),
    "text-short": header(BinaryData="False") + b"1 2 3\n",
    "nan-spacing": header(ElementSpacing="nan 1 1") + VOXELS,
    "nan-matrix": header(TransformMatrix="nan 0 0 0 1 0 0 0 1") + VOXELS,
    "flat-matrix": header(TransformMatrix="0 0 0 0 0 0 0 0 0") + VOXELS,
    "infinite-origin": header(Offset="inf 0 0") + VOXELS,
    "no-data-file": header().rsplit(b"ElementDataFile", 1)[0],
    "dimensions-twice": header().replace(b"NDims = 3", b"NDims = -2\nNDims = 3") + VOXELS,
    "a-line-of-no-field": header().replace(b"NDims", b"Image\nNDims") + VOXELS,
    "dimensions-behind-a-line-of-no-field": header().replace(b"NDims = 3", b"NDims = -2\nImage\nNDims = 3") + VOXELS,
    "nothing-but-lines": b"a = b\n" * 400,
    "one-long-line": b"Comment = " + b"x" * 100_000,
    "a-scene": header(ObjectType="Scene") + VOXELS,
    "random": bytes(np.random.default_rng(2).integers(0, 256, 900, np.uint8)),
    "spacing-of-zero": header(ElementSpacing="0 1 1") + VOXELS,
    "header-of-minus-one": header("v.raw", HeaderSize="-1"),
    "text": header(BinaryData="False") + b" ".join(b"%d" % value for value in range(120)),
    "short-matrix": header(TransformMatrix="1 0 0") + VOXELS,
}
TOLERATED = {
    "negative-spacing": header(ElementSpacing="-1 1 1") + VOXELS,
    "escapes-in-a-comment": header(Comment="\x1b]0;owned\x07") + VOXELS,
    "compressed": header(CompressedData="True", CompressedDataSize=str(len(packed))) + packed,
    "more-than-said": header() + VOXELS * 3,
}
for _cases, _expected in ((DAMAGED, REFUSED), (TOLERATED, READ)):
    for _name, _data in _cases.items():
        add(f"meta/{_name}", written("v.mha", _data), _expected)


@case("meta/data-through-a-link")
def through_a_link(folder: Path) -> Path:
    (folder / "v.raw").symlink_to("/etc/passwd")
    return written("v.mhd", header("v.raw"))(folder)


@case("meta/data-in-a-pipe")
def in_a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "v.raw")
    return written("v.mhd", header("v.raw"))(folder)


@case("meta/data-short-beside")
def short_beside(folder: Path) -> Path:
    (folder / "v.raw").write_bytes(VOXELS[:-7])
    return written("v.mhd", header("v.raw"))(folder)


@case("meta/data-beside", READ)
def beside(folder: Path) -> Path:
    (folder / "v.raw").write_bytes(VOXELS)
    return written("v.mhd", header("v.raw"))(folder)


@case("meta/list-beside", READ)
def list_beside(folder: Path) -> Path:
    for number in range(4):
        (folder / f"{number}.raw").write_bytes(VOXELS[number * 60 : number * 60 + 60])
    return written("v.mhd", header("LIST") + b"0.raw\n1.raw\n2.raw\n3.raw\n")(folder)


@case("meta/pattern-beside", READ)
def pattern_beside(folder: Path) -> Path:
    for number in range(4):
        (folder / f"s{number}.raw").write_bytes(VOXELS[number * 60 : number * 60 + 60])
    return written("v.mhd", header("s%d.raw 0 3 1"))(folder)


@case("meta/list-with-one-short")
def list_short(folder: Path) -> Path:
    for number in range(4):
        (folder / f"{number}.raw").write_bytes(VOXELS[number * 60 : number * 60 + 60 - 30 * (number == 2)])
    return written("v.mhd", header("LIST") + b"0.raw\n1.raw\n2.raw\n3.raw\n")(folder)


@case("meta/list-with-one-too-few")
def list_too_few(folder: Path) -> Path:
    for number in range(3):
        (folder / f"{number}.raw").write_bytes(VOXELS[number * 60 : number * 60 + 60])
    return written("v.mhd", header("LIST") + b"0.raw\n1.raw\n2.raw\n")(folder)
