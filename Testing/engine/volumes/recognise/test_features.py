"""Measures of patches, against SciPy and on images whose answer is known."""

import numpy as np
import pytest
from recognise_volumes import head

from surgical_style_engine.volumes.recognise import features
from surgical_style_engine.volumes.recognise.patches import deep_patches, standardised, working_grid


@pytest.fixture(scope="module")
def patches():
    return standardised(*deep_patches(working_grid(head())))


@pytest.mark.parametrize("side", [3, 5, 17])
def test_box_means_and_erosion_as_scipy_gives_them(side):
    ndimage = pytest.importorskip("scipy.ndimage")
    random = np.random.default_rng(0)
    images, inside = random.normal(size=(2, 30, 40)).astype(np.float32), random.random((2, 30, 40)) > 0.2
    expected = ndimage.uniform_filter(images * inside, (0, side, side), mode="constant")
    expected /= np.maximum(ndimage.uniform_filter(inside.astype(np.float32), (0, side, side), mode="constant"), 1e-3)
    assert np.allclose(features.blurred(images, inside, side), expected, atol=1e-4)
    assert np.array_equal(features._eroded(inside, cross=True)[0], ndimage.binary_erosion(inside[0]))
    square = np.ones((3, 3))
    assert np.array_equal(features._eroded(inside, cross=False)[1], ndimage.binary_erosion(inside[1], square))


def test_turned_and_mirrored_patches_measure_alike(patches):
    turned = np.ascontiguousarray(np.rot90(patches, 1, (2, 3))[..., ::-1])
    assert np.allclose(features.features_of(patches), features.features_of(turned), atol=2e-3)


def test_inverted_detail_has_the_opposite_skewness(patches):
    inside = patches[:, :1] > -2.4
    inverted = np.where(inside, -patches, patches)
    count = len(features.features_of(patches)) // 3
    plain, opposite = (features.features_of(part)[count : 2 * count] for part in (patches, inverted))
    skewness = len(features._PERCENTILES)
    assert plain[skewness] == pytest.approx(-opposite[skewness], abs=0.05) and abs(plain[skewness]) > 0.5


def test_what_holds_too_little_has_none():
    assert features.features_of(np.full((3, 2, 64, 64), -2.5, np.float32)) is None
