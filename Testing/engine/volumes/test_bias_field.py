"""Bias flattening: a field laid over a volume is found and taken away; geometry and scale stay."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_models import head

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.bias_field import flatten_bias
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture(scope="module")
def biased():
    """(true volume, the same under a bias field from 0.6 to 1.6, body mask)."""
    shape = (24, 48, 44)
    true = head(1, shape) + np.abs(np.random.default_rng(0).normal(0, 8, shape))
    x = np.linspace(-1, 1, shape[2])
    z = np.linspace(-1, 1, shape[0])[:, None, None]
    field = np.exp(0.4 * x + 0.15 * z**2)
    direction = np.diag([-1.0, 1.0, 1.0])
    volume = Volume(true[None].astype(np.float32), (4.0, 4.0, 5.0), (3.0, 2.0, 1.0), direction)
    return volume, volume.with_array((true * field)[None].astype(np.float32)), body_mask(volume)


def tilt(volume, region, true):
    """Slope of log(volume / true) along x inside the region, in logs from one side to the other."""
    inside = region & (true.array[0] > 100)
    x = np.broadcast_to(np.linspace(-1, 1, region.shape[2]), region.shape)[inside]
    return 2 * np.polyfit(x, np.log(volume.array[0][inside] / true.array[0][inside]), 1)[0]


def test_the_field_is_taken_away(biased):
    true, volume, region = biased
    before, after = tilt(volume, region, true), tilt(flatten_bias(volume), region, true)
    assert before == pytest.approx(0.8, abs=0.02)
    assert abs(after) < 0.1 * before


def test_grid_and_scale_stay(biased):
    _, volume, region = biased
    flat = flatten_bias(volume)
    assert flat.same_grid(volume) and flat.array.shape == volume.array.shape and flat.array.dtype == np.float32
    inside = region & (volume.array[0] > 100)
    ratio = np.log(volume.array[0][region] + 1).mean() - np.log(flat.array[0][region] + 1).mean()
    assert abs(ratio) < 0.02
    assert 0.4 < (flat.array[0][inside] / volume.array[0][inside]).min() < 1
    assert (flat.array[volume.array == 0] == 0).all()


def test_integers_and_pictures(biased):
    _, volume, _ = biased
    slice_ = replace(volume, array=volume.array[:, 12:13].astype(np.int16), is_2d=True, spacing=(1.0, 1.0, 1.0))
    flat = flatten_bias(slice_)
    assert flat.array.shape == slice_.array.shape and np.isfinite(flat.array).all()
    assert np.abs(flat.array - slice_.array).max() > 20


def test_hu_and_colours_are_refused(biased):
    _, volume, _ = biased
    with pytest.raises(InputError, match="in HU, which has no bias field"):
        flatten_bias(volume.with_array(volume.array - 1000))
    with pytest.raises(InputError, match="not in colours"):
        flatten_bias(Volume(np.random.default_rng(0).uniform(0, 9, (3, 4, 8, 8))))
