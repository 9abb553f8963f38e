"""What stands out in a translation alone is invented; what the real image has, or is near the rim, is not."""

import numpy as np
import pytest
from lesion_phantom import phantom, smooth, sphere

from surgical_style_engine.metrics.lesions.invented import inventions, local_contrast

PHANTOM = phantom()
ONE = (1.0, 1.0, 1.0)
CENTRE = (34, 26, 28)


def with_spot(image, centre=CENTRE, diameter=7, height=0.8):
    return np.clip(image + height * smooth(sphere(centre, diameter), 0.7), -1, 1)


def test_the_real_image_invents_nothing():
    assert inventions(PHANTOM.real, PHANTOM.real, PHANTOM.region, ONE) == []


def test_a_spot_is_measured_where_it_is():
    (spot,) = inventions(with_spot(PHANTOM.real), PHANTOM.real, PHANTOM.region, ONE)
    assert 4.5 < spot.diameter_mm < 8  # the part of it that stands out
    assert spot.centre == pytest.approx(CENTRE, abs=1)


def test_tone_does_not_matter():
    changed = with_spot(PHANTOM.real) * 0.4 + 0.3
    assert len(inventions(changed, PHANTOM.real, PHANTOM.region, ONE)) == 1


def test_a_spot_of_both_and_a_known_lesion_are_not_invented():
    both = with_spot(PHANTOM.real)
    assert inventions(both, both, PHANTOM.region, ONE) == []
    assert inventions(both, PHANTOM.real, PHANTOM.region, ONE, labels=sphere(CENTRE, 7)) == []


def test_dark_spots_where_lesions_are_dark():
    dark = with_spot(PHANTOM.source, height=-0.8)
    assert len(inventions(dark, PHANTOM.source, PHANTOM.region, ONE, "dark")) == 1
    assert inventions(dark, PHANTOM.source, PHANTOM.region, ONE, "bright") == []


def test_the_rim_does_not_count():
    edge = with_spot(PHANTOM.real, (22, 28, 3), 6)
    assert inventions(edge, PHANTOM.real, PHANTOM.region, ONE) == []


def test_local_contrast_is_in_deviations():
    values = local_contrast(PHANTOM.real, PHANTOM.region, ONE)[PHANTOM.region]
    spread = 1.4826 * np.median(np.abs(values - np.median(values)))
    assert spread == pytest.approx(1, rel=1e-3)
    assert local_contrast(np.ones_like(PHANTOM.real), PHANTOM.region, ONE) == pytest.approx(0, abs=1)
