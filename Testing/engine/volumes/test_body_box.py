"""What is cut off around a body holds nothing, and noise does not keep it from being cut off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgical_style_engine.common.thresholds import AIR_TOP
from surgical_style_engine.volumes.body_box import MARGIN, BodyBox, body_box

HEAD = (slice(40, 90), slice(52, 113))
WITH_MARGIN = (slice(40 - MARGIN, 90 + MARGIN), slice(52 - MARGIN, 113 + MARGIN))


def slices_with_a_head(noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """(1, 6, 128, 160) in [-1, 1]: tissue in HEAD; the noise's deviation as a share of the range, as a scanner's
    magnitude images have it."""
    rng = np.random.default_rng(seed)
    signal = np.zeros((1, 6, 128, 160), np.float32)
    signal[0, :, HEAD[0], HEAD[1]] = rng.uniform(0.3, 0.9, (6, 50, 61))
    real, imaginary = (rng.normal(0, noise, signal.shape) for _ in range(2))
    return (2 * np.clip(np.hypot(signal + real, imaginary), 0, 1) - 1).astype(np.float32)


def near(found: tuple[slice, slice], wanted: tuple[slice, slice], by: int) -> bool:
    ends = [(a.start, b.start) for a, b in zip(found, wanted, strict=True)]
    ends += [(a.stop, b.stop) for a, b in zip(found, wanted, strict=True)]
    return all(abs(first - second) <= by for first, second in ends)


def test_to_the_pixel_without_noise():
    assert body_box(slices_with_a_head()) == WITH_MARGIN


@pytest.mark.parametrize("noise", [0.004, 0.007, 0.01, 0.015])
@pytest.mark.parametrize("seed", range(3))
def test_noise_in_the_air_is_no_body(noise, seed):
    array = slices_with_a_head(noise, seed)
    assert (array[:, :, :8, :8] > AIR_TOP).any()  # pixel by pixel it would be one
    found = body_box(array)
    assert near(found, WITH_MARGIN, 8)
    # Nothing of the head is cut off.
    assert all(a.start <= b.start and a.stop >= b.stop for a, b in zip(found, HEAD, strict=True))


def test_much_noise_leaves_everything_in():
    assert body_box(slices_with_a_head(0.1)) == (slice(0, 128), slice(0, 160))


@pytest.mark.parametrize(("size", "value"), [(1, 0.4), (2, -0.6), (4, -0.9), (8, -0.97)])
def test_small_and_dim_parts_count(size, value):
    """An ear, a catheter: one bright pixel in one slice is enough, dim ones need more of them."""
    array = slices_with_a_head(0.002)
    array[0, 3, 8 : 8 + size, 8 : 8 + size] = value
    rows, columns = body_box(array)
    assert rows.start <= 8 and columns.start <= 8


def test_a_body_that_fills_the_image():
    array = np.random.default_rng(0).uniform(-0.9, 1, (1, 4, 40, 52)).astype(np.float32)
    assert body_box(array) == (slice(0, 40), slice(0, 52))
    # A dark tissue that fills a part of it is no air.
    array[..., :12] = -0.94
    assert body_box(array) == (slice(0, 40), slice(0, 52))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 2, 5, 7), (1, 3, 9, 16)])
@pytest.mark.parametrize("value", [-1.0, 0.3])
def test_flat_images_are_kept_whole(shape, value):
    assert body_box(np.full(shape, value, np.float32)) == (slice(0, shape[2]), slice(0, shape[3]))


def test_every_channel_counts():
    array = np.full((3, 2, 64, 64), -1, np.float32)
    array[2, 1, 30:34, 30:34] = 0
    assert body_box(array) == (slice(22, 42), slice(22, 42))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.sampled_from([0.0, 0.004, 0.012]))
def test_slices_in_parts_give_the_same(step, noise):
    array = slices_with_a_head(noise)
    box = BodyBox(array.shape[-2:])
    for start in range(0, array.shape[1], step):
        box.add(array[:, start : start + step])
    assert box.found() == body_box(array)
