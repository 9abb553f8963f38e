"""Elements of DICOM files that claim to be longer than their file."""

import struct
import sys

import pytest
from reliability.hostile.dicom import (
    DEFLATED,
    RLE,
    element,
    encapsulated,
    implicit,
    overlong,
    packed,
    parts,
    rle,
    whole,
)

from surgical_style_engine.imageio.gate.elements import claims_too_much, with_little_memory

HUGE = 0x7FFFFFF0


def claims(tmp_path, data):
    path = tmp_path / "s.dcm"
    path.write_bytes(data)
    return claims_too_much(path)


def sequence(inner: bytes, defined: bool) -> bytes:
    """A sequence of one item that holds an element."""
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner) if defined else 0xFFFFFFFF) + inner
    item += b"" if defined else struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    end = b"" if defined else struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return element(0x00081140, "SQ", item + end, None if defined else 0xFFFFFFFF)


@pytest.mark.parametrize(
    "data",
    [
        whole(),
        implicit(),
        whole()[132:],
        whole() + bytes(100),
        encapsulated(RLE, rle(bytes(240))),
        packed(b"\xff" * 40, DEFLATED),
        packed(sequence(element(0x00081150, "UI", "1.2"), True) + whole()[300:]),
        b"no DICOM at all, but \xff\xff\xff\xff",
        b"\x08",
        bytes(200),
    ],
)
def test_what_is_whole_or_none_is_let_through(tmp_path, data):
    assert not claims(tmp_path, data)


@pytest.mark.parametrize("defined", [True, False])
def test_in_sequences(tmp_path, defined):
    body = sequence(element(0x00081150, "UT", b"1.2", HUGE), defined)
    honest = body.replace(b"\xf0\xff\xff\x7f", b"\4\0\0\0")
    assert claims(tmp_path, packed(body)) and not claims(tmp_path, packed(honest))


def test_at_the_end_and_in_fragments(tmp_path):
    pixels = parts()
    pixels[0x7FE00010] = element(0x7FE00010, "OW", bytes(240), HUGE)
    assert claims(tmp_path, packed(b"".join(pixels.values())))
    fragment = encapsulated(RLE, rle(bytes(240)))
    place = fragment.rindex(b"\xfe\xff\x00\xe0") + 4
    assert claims(tmp_path, fragment[:place] + struct.pack("<I", HUGE) + fragment[place + 4 :])


def test_big_endian(tmp_path):
    group = struct.pack(">HH", 0x0008, 0x0018) + b"UT\0\0"
    assert claims(tmp_path, packed(group + struct.pack(">I", HUGE), "1.2.840.10008.1.2.2"))
    assert not claims(tmp_path, packed(group + struct.pack(">I", 4) + b"1.2 ", "1.2.840.10008.1.2.2"))


def test_a_short_lie_is_left_to_gdcm(tmp_path):
    assert not claims(tmp_path, whole()[:-100])
    assert claims(tmp_path, overlong(whole(), 136))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")
def test_what_cannot_be_followed_gets_little_memory(tmp_path):
    resource, bounds = pytest.importorskip("resource"), {}
    before = resource.getrlimit(resource.RLIMIT_AS)[0]
    for name, data in {
        "good": whole(),
        "implicit": implicit(),
        "compressed": encapsulated(RLE, rle(bytes(240))),
        "no DICOM": b"GIF89a" * 40,
        "odd": whole().replace(b"CS\2\0MR", b"\3S\2\0MR"),
        "cut": whole()[:-100],
        "rubbish behind the pixels": whole() + b"\0t\0u\0v\0w\0",
    }.items():
        (tmp_path / "s.dcm").write_bytes(data)
        with with_little_memory(tmp_path / "s.dcm"):
            bounds[name] = resource.getrlimit(resource.RLIMIT_AS)[0] != before
    assert bounds == {name: name not in ("good", "implicit", "compressed") for name in bounds}
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == before
