"""Paired differences and their intervals."""

import numpy as np
import pytest

from surgical_style_engine.metrics.court.bootstrap import paired_difference


def test_the_interval_is_that_of_the_mean():
    rng = np.random.default_rng(1)
    second = rng.normal(20, 3, 200)
    result = paired_difference(list(second + rng.normal(1, 0.5, 200)), list(second))
    half = 1.96 * 0.5 / np.sqrt(200)
    assert result["difference"] == pytest.approx(1, abs=0.1)
    assert result["high"] - result["low"] == pytest.approx(2 * half, rel=0.2)


def test_the_same_again():
    values = [1.0, 2.0, 4.0], [0.5, 2.5, 1.0]
    assert paired_difference(*values) == paired_difference(*values)


def test_one_patient_has_no_interval_and_none_no_difference():
    assert paired_difference([2.0], [1.0]) == {"difference": 1.0, "low": None, "high": None, "patients": 1}
    assert paired_difference([None], [1.0])["difference"] is None
    assert paired_difference([None, 3.0], [1.0, 1.0])["patients"] == 1
