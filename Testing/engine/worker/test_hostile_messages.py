"""Messages whose files or geometry are no volume's are answered in a sentence."""

import os

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.worker.messages import describe, write_array
from surgical_style_engine.worker.schema import parse

GOOD = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
HUGE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 99999, 99999, 99999), }".ljust(117) + b"\n"
FILES = {
    "text": b"x",
    "cut-head": b"\x93NUMPY hello",
    "huge": b"\x93NUMPY\x01\0" + len(HUGE).to_bytes(2, "little") + HUGE + bytes(100),
    "no-dictionary": b"\x93NUMPY\x01\0\x04\0(((\n",
}
ARRAYS = {
    "flat": np.zeros(5),
    "empty": np.zeros((1, 0, 3, 4)),
    "letters": np.full((1, 2, 3, 4), "a"),
    "objects": np.array([[[[{}]]]], object),
}
GEOMETRY = {
    "spacing": [[0, 1, 1], [-1, 1, 1], [float("nan"), 1, 1], [float("inf"), 1, 1]],
    "origin": [[float("nan")] * 3],
    "direction": [[[1, 0], [0, 1]], [], [[1, 0, 0]] * 2, [[float("nan")] * 3] * 3],
}


def check(path, **changes):
    volume = {**describe(path, (1, 1, 1), (0, 0, 0), np.eye(3)), **changes}
    return parse({"task": "check", "volume": volume, "model": "m", "direction": "forward"})[1].volume.read()


def refused(path, **changes):
    with pytest.raises(InputError) as caught:
        check(path, **changes)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_good_one(tmp_path):
    write_array(tmp_path / "v.npy", GOOD)
    assert np.array_equal(check(tmp_path / "v.npy").array, GOOD)


@pytest.mark.parametrize("name", FILES)
def test_files(tmp_path, name):
    (tmp_path / "v.npy").write_bytes(FILES[name])
    refused(tmp_path / "v.npy")


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(tmp_path, name):
    np.save(tmp_path / "v.npy", ARRAYS[name], allow_pickle=True)
    refused(tmp_path / "v.npy")


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in GEOMETRY.items() for value in values])
def test_geometry(tmp_path, field, value):
    write_array(tmp_path / "v.npy", GOOD)
    refused(tmp_path / "v.npy", **{field: value})


@pytest.mark.skipif(os.name == "nt", reason="POSIX has pipes with names")
def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    for path in (tmp_path / "pipe.npy", tmp_path, tmp_path / "missing.npy", "/dev/zero", "a\0b", ""):
        refused(path)
