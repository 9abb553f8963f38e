"""Automatic strength: the largest that keeps the consistency."""

import numpy as np
import pytest
from tiny_models import head

from surgical_style_engine.adjust.strength import automatic_strength, consistency_at


@pytest.fixture(scope="module")
def pair():
    """A head and a translation with a structure of its own, normalised (1,z,y,x)."""
    source = head(1, (8, 40, 36)) / 500 - 1 + np.random.default_rng(0).normal(0, 0.02, (8, 40, 36))
    made = -0.6 * source + 0.4 * np.sin(np.arange(36) / 1.5)
    return source[None].astype(np.float32), made[None].astype(np.float32)


@pytest.mark.parametrize("least", [0.95, 0.8, 0.6])
def test_the_largest_that_is_good_enough(pair, least):
    strength, consistency = automatic_strength(*pair, least)
    assert 0 < strength < 1 and consistency >= least
    assert consistency == consistency_at(*pair, strength)
    for higher in (strength + 0.015, *np.arange(np.ceil(strength * 10 + 0.15) / 10, 1.01, 0.1)):
        assert consistency_at(*pair, min(1.0, float(higher))) < least, higher


def test_both_ends(pair):
    assert automatic_strength(*pair, 0.0) == (1.0, consistency_at(*pair, 1.0))
    assert automatic_strength(*pair, 1.0) == (0.0, 1.0)
    assert automatic_strength(pair[0], pair[0], 1.0) == (1.0, 1.0)


def test_all_slices_have_the_last_word():
    """The one bad slice among many is not one of those searched."""
    rng = np.random.default_rng(0)
    source = rng.uniform(-1, 1, (1, 50, 16, 16)).astype(np.float32)
    made = source.copy()
    searched = np.linspace(0, 49, 24).round().astype(int)
    spoiled = np.setdiff1d(np.arange(50), searched)
    made[:, spoiled] = rng.uniform(-1, 1, (1, len(spoiled), 16, 16))
    strength, consistency = automatic_strength(source, made, 0.9)
    assert 0 < strength < 1 and consistency >= 0.9
    assert consistency_at(source, made, 1.0) < 0.9


def test_in_the_region_and_along_another_axis(pair):
    source, made = pair
    half = source.copy()
    half[..., 18:] = made[..., 18:]
    region = np.zeros(source.shape[1:], bool)
    region[:, :, :14] = True
    assert automatic_strength(source, half, 0.99, region) == (1.0, 1.0)
    assert automatic_strength(source, half, 0.99, region, 1) == (1.0, 1.0)
    assert automatic_strength(source, half, 0.99)[0] < 1
