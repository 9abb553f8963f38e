"""Tissue classes of a mixture: they are those that were drawn, and do not depend on the scale."""

import numpy as np
import pytest

from surgical_style_engine.metrics.court.mixture import tissue_agreement, tissue_classes

RNG = np.random.default_rng(0)
TISSUE = RNG.choice(3, (20, 30, 30), p=(0.2, 0.5, 0.3))
REGION = np.ones(TISSUE.shape, bool)
IMAGE = np.array((10.0, 50.0, 90.0))[TISSUE] + RNG.normal(0, 4, TISSUE.shape)


def test_classes_are_those_drawn_from_dark_to_bright():
    assert np.mean(tissue_classes(IMAGE, REGION) == TISSUE + 1) > 0.99


def test_gain_and_offset_do_not_matter():
    assert tissue_agreement(IMAGE, 3 * IMAGE - 40, REGION) > 0.999


def test_the_more_noise_the_less_agreement():
    scores = [tissue_agreement(IMAGE + RNG.normal(0, s, IMAGE.shape), IMAGE, REGION) for s in (0, 8, 16, 32)]
    assert scores[0] == pytest.approx(1) and scores == sorted(scores, reverse=True)


def test_outside_and_constant_images():
    region = REGION.copy()
    region[:10] = False
    assert not tissue_classes(IMAGE, region)[:10].any()
    assert set(np.unique(tissue_classes(np.ones(TISSUE.shape), REGION))) == {1}
