"""Resizing in numpy is what torch does."""

import sys

import numpy as np
import pytest
import torch

from surgical_style_engine.volumes.resampling import resize_in_plane
from surgical_style_engine.volumes.resizing import _taps, resize

SIZES = [1, 2, 3, 5, 16, 37, 64, 191, 192, 256, 411]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def torchs(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    made = torch.nn.functional.interpolate(torch.from_numpy(images)[:, None], size, mode="bilinear", antialias=True)
    return made[:, 0].numpy()


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("wanted", SIZES)
def test_every_size_is_torchs(count, wanted):
    """Grown and shrunk, down the rows and across them, whichever comes first."""
    for images, size in (
        (noise(2, count, 40), (wanted, 30)),
        (noise(2, count, 30), (wanted, 40)),
        (noise(2, 40, max(2, count)), (30, max(2, wanted))),
        (noise(2, 30, max(2, count)), (40, max(2, wanted))),
        (noise(1, count, 2), (wanted, 2)),
    ):
        made = resize(images, size)
        assert made.dtype == np.float32 and made.shape == (len(images), *size)
        np.testing.assert_allclose(made, torchs(images, size), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("count", "wanted"), [(1000, 1), (1000, 999), (7, 1), (3, 4)])
def test_a_single_column_is_resized_like_every_other(count, wanted):
    """torch itself takes such images for another memory layout and mixes up their pixels."""
    column = noise(1, count, 1)
    several = torchs(np.repeat(column, 3, axis=2), (wanted, 3))[:, :, :1]
    np.testing.assert_allclose(resize(column, (wanted, 1)), several, rtol=0, atol=1e-6)
    np.testing.assert_allclose(resize_in_plane(column[None], (wanted, 1))[0], several, rtol=0, atol=1e-6)
    np.testing.assert_allclose(resize(column, (wanted, 4)), np.repeat(several, 4, axis=2), rtol=0, atol=1e-6)


def test_with_and_without_torch_in_memory_the_same_bits(monkeypatch):
    """Chunked alike, of whatever type and order in memory; read-only arrays too."""
    array = (noise(2, 5, 60, 44) * 1000).astype(np.int16).transpose(0, 1, 3, 2)
    array.setflags(write=False)
    with_torch = resize_in_plane(array, (31, 75))
    wanted = torchs(array.reshape(10, 44, 60).astype(np.float32), (31, 75)).reshape(2, 5, 31, 75)
    monkeypatch.delitem(sys.modules, "torch")
    without = resize_in_plane(array, (31, 75))
    assert without.dtype == np.float32 and np.array_equal(without, with_torch)
    np.testing.assert_allclose(without, wanted, rtol=0, atol=1e-3)


def test_no_tap_is_computed_in_vain():
    assert [len(_taps(*sizes)[0]) for sizes in ((256, 192), (192, 256), (512, 100), (1, 7), (7, 1))] == [3, 2, 11, 1, 7]
    for sizes in ((256, 192), (192, 256), (512, 100), (999, 1000)):
        places, weights = _taps(*sizes)
        assert places.min() >= 0 and places.max() < sizes[0] and (weights >= 0).all()
        np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-6)
