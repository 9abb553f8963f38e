"""NRRD headers that lie, or name what they should not."""

import bz2
import gzip
import os
from pathlib import Path

import numpy as np

from .registry import READ, REFUSED, add, case, gzipped_zeros, written

VOXELS = np.arange(120, dtype="<i2").tobytes()


def header(more="", **fields) -> bytes:
    values = {
        "type": "short",
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": "6 5 4",
        "space directions": "(1,0,0) (0,1,0) (0,0,2)",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(0,0,0)",
        **{key.replace("_", " "): value for key, value in fields.items()},
    }
    lines = [f"{key}: {value}" for key, value in values.items() if value is not None]
    return ("NRRD0004\n" + "\n".join(lines) + "\n" + more + "\n").encode("latin-1")


def detached(file: str, **fields) -> bytes:
    return header(**fields).rstrip(b"\n") + f"\ndata file: {file}\n".encode()


add("nrrd/good", written("v.nrrd", header() + VOXELS), READ)
packed = gzip.compress(VOXELS, mtime=0)
DAMAGED = {
    "one-byte-short": header() + VOXELS[:-1],
    "no-voxels": header(),
    "huge": header(sizes="60000 60000 60000") + VOXELS,
    "overflow": header(sizes="4294967296 4294967296 4294967296") + VOXELS,
    "size-of-zero": header(sizes="0 5 4") + VOXELS,
    "negative-size": header(sizes="-6 5 4") + VOXELS,
    "two-sizes-of-three": header(sizes="6 5") + VOXELS,
    "no-sizes": header(sizes=None) + VOXELS,
    "no-dimension": header(dimension="0") + VOXELS,
    "many-dimensions": header(dimension="99") + VOXELS,
    "no-type": header(type=None) + VOXELS,
    "unknown-type": header(type="banana") + VOXELS,
    "block-type": header("block size: 100000000\n", type="block") + VOXELS,
    "unknown-encoding": header(encoding="banana") + VOXELS,
    "no-encoding": header(encoding=None) + VOXELS,
    "gzip-short": header(encoding="gzip") + packed[:-20],
    "gzip-nonsense": header(encoding="gzip") + VOXELS,
    "gzip-too-little": header(encoding="gzip") + gzip.compress(VOXELS[:100]),
    "gzip-huge": lambda: header(encoding="gzip", sizes="2000 2000 600") + gzipped_zeros(40) * 3,
    "bzip2-short": header(encoding="bzip2") + bz2.compress(VOXELS)[:-20],
    "text-short": header(encoding="ascii") + b"1 2 3\n",
    "hex-short": header(encoding="hex") + b"00ff\n",
    "skip-behind-the-end": header("byte skip: 100000\n") + VOXELS,
    "lines-behind-the-end": header("line skip: 100000\n") + VOXELS,
    "nan-directions": header(space_directions="(nan,0,0) (0,1,0) (0,0,2)") + VOXELS,
    "nan-origin": header(space_origin="(nan,0,0)") + VOXELS,
    "flat-directions": header(space_directions="(0,0,0) (0,0,0) (0,0,0)") + VOXELS,
    "unknown-space": header(space="banana") + VOXELS,
    "data-of-the-system": detached("/etc/passwd"),
    "data-endless": detached("/dev/zero"),
    "data-in-a-folder-above": detached("../secret.raw"),
    "data-missing": detached("missing.raw"),
    "data-is-a-folder": detached("."),
    "list-of-a-system-file": detached("LIST") + b"/etc/passwd\n" * 4,
    "list-without-a-list": detached("LIST"),
    "pattern-of-names": detached("/etc/host%d 1 4 1"),
    "pattern-without-end": detached("s%d.raw 1 2000000000 1"),
    "nothing-but-the-magic": b"NRRD0004\n",
    "one-long-line": b"NRRD0004\ncontent: " + b"x" * 300_000,
    "random-behind-the-magic": b"NRRD0004\n" + bytes(np.random.default_rng(3).integers(0, 256, 900, np.uint8)),
    "no-endian": header(endian=None) + VOXELS,
    "negative-skip": header("byte skip: -5\n") + VOXELS,
}
TOLERATED = {
    "skip-of-minus-one": header("byte skip: -1\n") + VOXELS,
    "no-place": header(space=None, space_directions=None, space_origin=None) + VOXELS,
    "escapes-in-a-key": header("a\x1b[31m:=\x1b]0;owned\x07\n") + VOXELS,
    "text": header(encoding="ascii") + b" ".join(b"%d" % value for value in range(120)),
    "gzip": header(encoding="gzip") + packed,
    "more-than-said": header() + VOXELS * 3,
    "four-dimensions": header(
        dimension="4",
        sizes="1 6 5 4",
        space_directions="none (1,0,0) (0,1,0) (0,0,2)",
        kinds="vector domain domain domain",
    )
    + VOXELS,
}
for _cases, _expected in ((DAMAGED, REFUSED), (TOLERATED, READ)):
    for _name, _data in _cases.items():
        add(
            f"nrrd/{_name}",
            written("v.nhdr" if isinstance(_data, bytes) and b"data file" in _data else "v.nrrd", _data),
            _expected,
        )


@case("nrrd/data-through-a-link")
def through_a_link(folder: Path) -> Path:
    (folder / "v.raw").symlink_to("/etc/passwd")
    return written("v.nhdr", detached("v.raw"))(folder)


@case("nrrd/data-in-a-pipe")
def in_a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "v.raw")
    return written("v.nhdr", detached("v.raw"))(folder)


@case("nrrd/data-short-beside")
def short_beside(folder: Path) -> Path:
    (folder / "v.raw").write_bytes(VOXELS[:-7])
    return written("v.nhdr", detached("v.raw"))(folder)


@case("nrrd/data-beside", READ)
def beside(folder: Path) -> Path:
    (folder / "v.raw").write_bytes(VOXELS)
    return written("v.nhdr", detached("./v.raw"))(folder)


@case("nrrd/list-beside", READ)
def list_beside(folder: Path) -> Path:
    for number in range(4):
        (folder / f"{number}.raw").write_bytes(VOXELS[number * 60 : number * 60 + 60])
    return written("v.nhdr", detached("LIST") + b"0.raw\n1.raw\n2.raw\n3.raw\n")(folder)
