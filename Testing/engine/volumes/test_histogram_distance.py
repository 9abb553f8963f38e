"""Distances of intensity histograms."""

import time

import numpy as np
import pytest

from surgical_style_engine.volumes.histogram_distance import (
    body_histogram,
    histogram_distance,
    nearest_distance,
    usual_distance,
)


def test_air_does_not_count():
    array = np.full(1000, -1.0)
    array[:10] = 0.5
    shares = body_histogram(array)
    assert shares.sum() == pytest.approx(1) and shares.argmax() == 24
    assert body_histogram(np.full(5, -1.0)) is None


def test_the_distance_is_how_far_the_mass_moves():
    at = [np.eye(32)[position] for position in range(32)]
    assert histogram_distance(at[3], at[3]) == 0
    assert histogram_distance(at[0], at[31]) == pytest.approx(2 * 31 / 32)
    assert histogram_distance(at[4], at[8]) == pytest.approx(0.25) == histogram_distance(at[8], at[4])


def test_nearest_and_usual():
    at = [np.eye(32)[position] for position in (0, 4, 20)]
    assert nearest_distance(np.eye(32)[5], at) == pytest.approx(2 / 32)
    assert usual_distance(at) == pytest.approx(2 * 16 / 32)
    assert usual_distance(at[:1]) == 0


def test_the_usual_distance_is_that_of_the_pairs_and_soon_there():
    shares = np.random.default_rng(0).dirichlet(np.ones(64), 60).tolist()
    pairs = [[histogram_distance(one, other) for other in shares if other is not one] for one in shares]
    assert usual_distance(shares) == max(min(row) for row in pairs)
    begun = time.process_time()
    usual_distance(np.random.default_rng(0).dirichlet(np.ones(64), 1000))
    assert time.process_time() - begun < 5
