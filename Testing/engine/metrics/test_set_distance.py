"""Kernel MMD: zero for one distribution, growing with the difference of two."""

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics import kernel_mmd, slice_features
from surgical_style_engine.metrics.set_distance import polynomial_mmd


def test_unbiased_estimate_is_the_double_sum_of_the_paper():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    first = np.mean([k(x[i], x[j]) for i in range(5) for j in range(5) if i != j])
    second = np.mean([k(y[i], y[j]) for i in range(4) for j in range(4) if i != j])
    across = np.mean([k(a, b) for a in x for b in y])
    assert polynomial_mmd(x, y) == pytest.approx(first + second - 2 * across)


def test_it_is_zero_on_average_for_one_distribution():
    rng = np.random.default_rng(1)
    values = [polynomial_mmd(rng.normal(size=(40, 8)), rng.normal(size=(60, 8))) for _ in range(300)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)
    assert min(values) < 0 < max(values)


def test_it_grows_with_the_distance_of_the_sets():
    rng = np.random.default_rng(2)
    real = rng.normal(size=(300, 8)) * 40 + 7
    found = [kernel_mmd(rng.normal(size=(300, 8)) * 40 + 7 + shift, real)[0] for shift in (0, 20, 40, 80)]
    assert found == sorted(found) and abs(found[0]) < 0.1 < found[2]


def test_features_tell_looks_apart_and_not_orders():
    rng = np.random.default_rng(3)
    slices = rng.normal(size=(24, 48, 48)).astype(np.float32)
    for _ in range(3):
        slices = (slices + np.roll(slices, 1, 1) + np.roll(slices, 1, 2)) / 3
    slices = np.clip(slices, -1, 1)
    sharp, sharp_too = slice_features(slices[:12]), slice_features(slices[12:])
    soft = slice_features((slices[12:] + np.roll(slices[12:], 1, 1) + np.roll(slices[12:], 2, 1)) / 3)
    inverted = slice_features(-(slices[12:] ** 2))
    same = kernel_mmd(sharp_too, sharp)[0]
    assert kernel_mmd(soft, sharp)[0] > same + 0.5
    assert kernel_mmd(inverted, sharp)[0] > same + 0.5
    np.testing.assert_allclose(slice_features(slices[:12][::-1])[::-1], sharp)


def test_features_look_inside_the_mask():
    rng = np.random.default_rng(4)
    slices = rng.uniform(-1, 1, (3, 64, 64)).astype(np.float32)
    mask = np.zeros(slices.shape, bool)
    mask[:2, 16:48, 16:48] = True
    features = slice_features(slices, mask)
    assert features.shape[0] == 2 and np.all(np.isfinite(features))
    far = slices.copy()
    far[:, :8] = 1
    np.testing.assert_allclose(slice_features(far, mask)[:, :11], features[:, :11])
    with pytest.raises(InputError, match="no slice"):
        slice_features(slices, mask & False)


def test_tiny_slices_have_features_of_the_same_length():
    rng = np.random.default_rng(5)
    big = slice_features(rng.uniform(size=(1, 128, 128)))
    small = slice_features(rng.uniform(size=(1, 20, 20)))
    assert big.shape == small.shape


def test_bad_input_is_one_sentence():
    with pytest.raises(InputError, match="two slices"):
        kernel_mmd(np.ones((1, 4)), np.ones((5, 4)))
    with pytest.raises(InputError, match="features"):
        kernel_mmd(np.ones((3, 4)), np.ones((5, 5)))
