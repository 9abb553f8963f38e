"""Metrics slice by slice, and the worst slices by name."""

from training_cli.report_page.curves import curve, worst_slices


def test_worst_slices():
    values = [None, 0.1, 0.9, 0.8, 0.2, 0.3, 0.7, None, 0.6, 0.05]
    assert worst_slices(values, low_is_good=True) == [2, 6, 8]
    assert worst_slices(values, low_is_good=False) == [9, 1, 4]
    assert worst_slices([None, None, 0.5], low_is_good=True) == [2]
    made = curve("look_ahead", values)
    assert made.worst == [2, 6, 8] and (made.low, made.high) == (0.05, 0.9)
    assert made.path.count("M") == 2, "a gap where a slice was not judged"
    assert curve("look_ahead", [None, 0.3, None]) is None
    assert curve("unheard_of", [1.0, 2.0]).worst == []
