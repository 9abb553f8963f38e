"""A NIfTI file made of another one on its grid states its place in the same bits."""

import gzip
import struct
from dataclasses import replace

import numpy as np
import pytest
from image_files import oblique
from reliability.hostile.nifti import header

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume

PLACE = [slice(76, 92), slice(252, 256), slice(256, 280), slice(280, 328)]  # sizes, codes, qform, sform


def start(path) -> bytes:
    return (gzip.open if path.suffix == ".gz" else open)(path, "rb").read(352)


def written(path, codes=(1, 1), units=2, **fields):
    """A file with an oblique place whose numbers ITK would round differently."""
    quaternion = np.array([0.1234567, -0.3456789, 0.2345678], np.float32).astype(float)
    b, c, d = quaternion
    a = float(np.sqrt(1 - b * b - c * c - d * d))
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    sizes = np.array([0.71875, 0.7187498, 3.000008], np.float32)
    corner = np.array([-91.234567, 82.345678, -33.456789], np.float32)
    rows = np.column_stack([turn * sizes, corner]).astype(np.float32)
    rows[1, 1] = np.nextafter(rows[1, 1], np.float32(9))  # a step of single precision off, as other programs round
    place = {"pixdim": (1, *sizes, 1, 1, 1, 1), "quatern": (*quaternion, *corner), "srow": rows.ravel()}
    data = header(codes=codes, units=units, **(place | fields)) + np.arange(120, dtype="<i2").tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return read_volume(path)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("codes", [(1, 1), (0, 1), (1, 0), (0, 2), (2, 2), (3, 1)])
def test_the_same_bits(tmp_path, ending, codes):
    volume = written(tmp_path / f"a{ending}", codes)
    write_volume(volume.with_array(volume.array.astype(np.float32) * 2), tmp_path / f"b{ending}")
    one, other = start(tmp_path / f"a{ending}"), start(tmp_path / f"b{ending}")
    assert all(one[part] == other[part] for part in PLACE)
    back = read_volume(tmp_path / f"b{ending}")
    assert (back.spacing, back.origin) == (volume.spacing, volume.origin)
    assert np.array_equal(back.direction, volume.direction) and np.array_equal(back.array, volume.array * 2.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{ending}", f"b{ending}"]


def test_big_endian(tmp_path):
    volume = written(tmp_path / "a.nii")
    data = bytearray((tmp_path / "a.nii").read_bytes())
    for offset, form in {0: "i", 40: "8h", 70: "2h", 76: "8f", 108: "f", 112: "2f", 252: "2h", 256: "18f"}.items():
        struct.pack_into(">" + form, data, offset, *struct.unpack_from("<" + form, data, offset))
    data[352:] = np.frombuffer(data[352:], "<i2").astype(">i2").tobytes()
    (tmp_path / "big.nii").write_bytes(data)
    big = read_volume(tmp_path / "big.nii")
    assert np.array_equal(big.array, volume.array)
    write_volume(big, tmp_path / "b.nii")
    assert all(start(tmp_path / "a.nii")[part] == start(tmp_path / "b.nii")[part] for part in PLACE)


@pytest.mark.parametrize(
    "changes", [{"spacing": (1.0, 1.0, 3.0)}, {"origin": (0.0, 0.0, 0.0)}, {"direction": oblique()}]
)
def test_another_grid_gets_its_own(tmp_path, changes):
    volume = replace(written(tmp_path / "a.nii.gz"), **changes)
    write_volume(volume, tmp_path / "b.nii.gz")
    assert read_volume(tmp_path / "b.nii.gz").same_grid(volume)
    assert start(tmp_path / "a.nii.gz")[280:328] != start(tmp_path / "b.nii.gz")[280:328]


def test_metres_are_written_in_millimetres(tmp_path):
    volume = written(tmp_path / "a.nii", units=1)
    write_volume(volume, tmp_path / "b.nii")
    assert volume.stated is None and read_volume(tmp_path / "b.nii").same_grid(volume)


def test_two_places_become_one(tmp_path):
    volume = written(tmp_path / "a.nii", (1, 2), srow=(-1, 0, 0, 50, 0, 1, 0, 0, 0, 0, 3, 0))
    assert "two places" in volume.metadata["Warning"] and volume.stated is None
    write_volume(volume, tmp_path / "b.nii")
    assert read_volume(tmp_path / "b.nii").metadata == {}
