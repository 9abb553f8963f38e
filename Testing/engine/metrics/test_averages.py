"""Means of metrics over volumes."""

from surgical_style_engine.metrics import mean_metrics


def test_means_skip_what_a_volume_lacks():
    first = {"a": 1.0, "b": {"c": 2, "name": "x"}, "list": [1], "d": None, "e": float("inf"), "flag": True}
    second = {"a": 3.0, "b": None, "list": [3], "d": None, "e": 5.0, "flag": False}
    assert mean_metrics([first, second]) == {"a": 2.0, "b": {"c": 2.0}, "d": None, "e": 5.0}
