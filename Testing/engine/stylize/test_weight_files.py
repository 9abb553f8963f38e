"""Whether files hold the weights that were published."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from surgical_style_engine.errors import InputError
from surgical_style_engine.stylize import weight_files
from surgical_style_engine.stylize.published import LPIPS_HEADS, PRETRAINED
from surgical_style_engine.stylize.weight_files import network_of, read_tensors, tensors_digest

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float32)}


def test_the_digest_is_of_names_shapes_types_and_numbers():
    digest = tensors_digest(TENSORS)
    assert tensors_digest(dict(reversed(TENSORS.items()))) == digest
    transposed = TENSORS["a"].T.copy().T  # the same numbers in another order in memory
    assert tensors_digest(TENSORS | {"a": transposed}) == digest
    changes = (
        {"a": TENSORS["a"].reshape(3, 2)},
        {"a": TENSORS["a"] + 1},
        {"a": TENSORS["a"].astype(np.float64)},
        {"c": TENSORS["b"]},
    )
    assert len({digest, *(tensors_digest(TENSORS | change) for change in changes)}) == 5


def test_only_the_published_arrays_are_read(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(TENSORS, path)
    wheel = replace(LPIPS_HEADS, tensors_sha256=tensors_digest(TENSORS))
    found = read_tensors(path, wheel, "weights")
    assert all(np.array_equal(found[name], array) for name, array in TENSORS.items())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged, or does not hold weights"):
        read_tensors(path, wheel, "weights")
    path.write_bytes(content[:40])
    with pytest.raises(InputError, match="is damaged, or holds no weights"):
        read_tensors(path, wheel, "weights")


def test_a_file_tells_whose_weights_it_holds(tmp_path, monkeypatch):
    path = tmp_path / "copy.safetensors"
    save_file(TENSORS, path)
    first = next(iter(PRETRAINED))
    assert network_of(path) == first and network_of(tmp_path / "none") == first
    wheel = replace(PRETRAINED["vgg16"].wheel, tensors_sha256=tensors_digest(TENSORS))
    monkeypatch.setitem(weight_files.PRETRAINED, "vgg16", replace(PRETRAINED["vgg16"], wheel=wheel))
    assert network_of(path) == "vgg16"
