"""Connected components of labels, their surroundings and their contrast."""

import numpy as np
import pytest
from lesion_phantom import sphere

from surgical_style_engine.metrics.lesions.components import (
    LEAST_NOISE,
    components,
    connected,
    contrast_between,
    contrast_of,
    depth_mm,
    distance_mm,
)

SHAPE = (30, 40, 40)
EVERYWHERE = np.ones(SHAPE, bool)


def test_components_from_the_largest_down_with_their_diameters():
    labels = sphere((15, 12, 12), 6, SHAPE) | sphere((15, 28, 28), 10, SHAPE)
    large, small = components(labels, (1, 1, 1), EVERYWHERE)
    assert large.diameter_mm == pytest.approx(10, abs=0.3) and small.diameter_mm == pytest.approx(6, abs=0.3)
    assert int(large.inside.sum()) == large.voxels == int(sphere((15, 28, 28), 10, SHAPE).sum())
    assert [c.voxels for c in components(labels, (1, 1, 1), EVERYWHERE, least_mm=8)] == [large.voxels]


def test_corners_join_and_spacing_counts():
    labels = np.zeros((3, 3, 3))
    labels[0, 0, 0] = labels[1, 1, 1] = 2
    assert connected(labels)[1] == 1
    (thick,) = components(labels, (4, 1, 1), np.ones((3, 3, 3), bool))
    assert thick.diameter_mm == pytest.approx((6 * 8 / np.pi) ** (1 / 3))


def test_contrast_to_noise_of_a_lesion_in_noise():
    rng = np.random.default_rng(0)
    image = rng.normal(0.1, 0.1, SHAPE)
    labels = sphere((15, 20, 20), 10, SHAPE)
    image[labels] -= 0.5
    (lesion,) = components(labels, (1, 1, 1), EVERYWHERE)
    assert contrast_of(image, lesion).to_noise == pytest.approx(-5, rel=0.1)


def test_surroundings_are_without_lesions_and_within_the_region():
    first, second = sphere((15, 16, 16), 8, SHAPE), sphere((15, 16, 28), 6, SHAPE)
    region = np.arange(SHAPE[1])[None, :, None] < 20
    largest, _ = components(first | second, (1, 1, 1), np.broadcast_to(region, SHAPE))
    ring = np.zeros(SHAPE, bool)
    ring[largest.box] = largest.ring
    assert ring.any() and not (ring & (first | second)).any() and not ring[:, 20:].any()
    away = distance_mm(first, (1, 1, 1))[ring]
    assert away.min() > 1.5 and away.max() <= 6


def test_too_few_surroundings_have_no_contrast():
    labels = sphere((15, 20, 20), 6, SHAPE)
    (lesion,) = components(labels, (1, 1, 1), labels)
    assert contrast_of(np.zeros(SHAPE), lesion) is None


def test_smoothness_makes_nothing_visible():
    assert contrast_between(np.full(9, 0.02), np.zeros(9)).to_noise == pytest.approx(0.02 / LEAST_NOISE)


def test_depth_counts_from_the_volume_s_end_too():
    depth = depth_mm(np.ones((5, 9, 9), bool), (2, 1, 1))
    assert depth[0, 4, 4] == pytest.approx(2) and depth[2, 4, 4] == pytest.approx(5) and depth.min() > 0
