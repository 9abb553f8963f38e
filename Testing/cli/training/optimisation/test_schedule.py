from __future__ import annotations

import pytest

from training_cli.training.config import load_config
from training_cli.training.optimisation.schedule import budget_used, learning_rate


def config(**settings):
    return load_config(None, {"source": "a", "target": "b", "output": "r", "learning_rate": 0.01} | settings)


def test_the_budget_is_what_runs_out_first():
    assert budget_used(config(max_steps=200), 50, 1000.0) == 0.25
    assert budget_used(config(max_minutes=10), 10**6, 5.0) == 0.5
    both = config(max_steps=200, max_minutes=10)
    assert budget_used(both, 50, 8.0) == 0.8 and budget_used(both, 180, 1.0) == 0.9


def test_the_rate_is_constant_then_falls_in_a_line_to_zero():
    half = config(max_steps=1)
    assert [learning_rate(half, p) for p in (0.0, 0.3, 0.5)] == [0.01] * 3
    assert learning_rate(half, 0.75) == pytest.approx(0.005)
    assert learning_rate(half, 0.9) == pytest.approx(0.002)
    assert learning_rate(half, 1.0) == 0.0 == learning_rate(half, 1.5)


def test_the_constant_share_may_be_nothing_or_everything():
    assert learning_rate(config(max_steps=1, constant_fraction=0), 0.25) == pytest.approx(0.0075)
    assert learning_rate(config(max_steps=1, constant_fraction=1), 0.99) == 0.01
