"""Measures of single slices: how bright it is so far from fluid."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from surgical_style_engine.volumes.recognise import fine_features
from surgical_style_engine.volumes.recognise.fine import local
from surgical_style_engine.volumes.recognise.patches import standardised

SIDE = 128


def folded(cortex, white, fluid=0.0, seed=0):
    """A patch (1, 3, h, w) of fluid in furrows, a cortex of 3 pixels about them, and white matter."""
    image = np.full((SIDE, SIDE), white)
    furrows = np.zeros(image.shape, bool)
    for row in range(18, 108, 24):
        furrows[row : row + 5, 8:120] = True
    image[distance_transform_edt(~furrows) <= 3] = cortex
    image[furrows] = fluid
    image += np.random.default_rng(seed).normal(0, 0.01, image.shape)
    patches = standardised(image[None], np.ones((1, SIDE, SIDE), bool))
    return np.concatenate([patches, local(patches)[:, None]], axis=1)


def first_profile(patch):
    """Brightness by the distance from what is dark."""
    return fine_features.fine_features(patch)[63:73]


def test_from_fluid_inwards_t1w_gets_brighter_and_flair_does_not():
    t1w, flair = first_profile(folded(0.6, 0.9)), first_profile(folded(0.9, 0.6))
    assert t1w[5] > t1w[2] + 0.3 and flair[5] < flair[2] - 0.3


def test_the_tone_hardly_matters():
    first, second = (fine_features.fine_features(patch) for patch in (folded(0.6, 0.9), folded(0.36, 0.81)))
    assert np.corrcoef(first, second)[0, 1] > 0.85


def test_distances_are_those_of_scipy():
    seeds = np.random.default_rng(0).random((40, 50)) > 0.97
    far = fine_features._distance(seeds)
    assert np.allclose(far[~seeds], distance_transform_edt(~seeds)[~seeds], atol=1e-4) and (far[seeds] <= 0).all()
    assert fine_features._distance(np.zeros((40, 50), bool)) is None


@pytest.mark.parametrize("inside", [0, 400])
def test_of_what_holds_too_little_there_is_no_measure(inside):
    patch = np.full((1, 3, SIDE, SIDE), -2.5, np.float32)
    patch[:, 1] = -1
    patch[0, 0].ravel()[:inside] = 0.5
    patch[0, 1].ravel()[:inside] = 0.5
    assert fine_features.fine_features(patch) is None
