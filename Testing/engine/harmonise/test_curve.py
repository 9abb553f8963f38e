from __future__ import annotations

import numpy as np
import pytest

from surgical_style_engine.harmonise.curve import STEEPEST, curve_between


def test_every_tissue_reaches_its_goal_and_no_signal_stays_none():
    levels, targets = np.array([100.0, 300.0, 400.0]), np.array([50.0, 90.0, 100.0])
    curve, bounded = curve_between(levels, targets, anchor=2, floor=-20.0)
    assert not bounded
    assert curve(levels - 20) == pytest.approx(targets)
    assert curve(np.array([-20.0])) == pytest.approx([0.0])


def test_brighter_stays_brighter_everywhere():
    curve, _ = curve_between(np.array([100.0, 300.0, 400.0]), np.array([50.0, 51.0, 900.0]), anchor=0)
    assert np.diff(curve(np.linspace(-200, 3000, 5000)).astype(float)).min() > 0


def test_a_slope_is_bounded_and_that_is_said():
    curve, bounded = curve_between(np.array([100.0, 101.0, 400.0]), np.array([100.0, 300.0, 400.0]), anchor=2)
    assert bounded
    slopes = np.diff(curve.targets) / np.diff(curve.levels)
    assert slopes.max() / slopes.min() <= STEEPEST**2 + 1e-9
    assert curve(np.array([400.0])) == pytest.approx([400.0]), "the anchor reaches its target nevertheless"
