"""The table of metrics and its CSV file: what they show of a report, metrics from outside included."""

import csv

import pytest

from surgical_style_engine.metrics import registry

QUALITY = {
    "look_ahead_score": 0.123456,
    "look_ahead_score_raw": 0.1,
    "jigsaw_puzzle_error": None,
    "semantic_consistency": 0.5,
    "mask_fraction": 0.2,
    "reference": {
        "compared_in": "HU",
        "psnr": 17.2049,
        "psnr_range": [-100.0, 300.0],
        "mae": 12.3456,
        "floors": {"input": {"psnr": 6.68}, "histogram_matched": {"psnr": 7.0}},
        "slices": {"psnr": [10.0, None], "mae": [1.0, 2.0]},
    },
    "network": {"semantic_consistency": 0.25, "reference": {"psnr": 18.0}},
    "slices": {"axis": "z", "look_ahead": [0.1, 0.2], "semantic_consistency": None},
}


@pytest.fixture
def table(slicer_app):
    from SurgicalStyleTransferLib.panel import metrics_table

    return metrics_table


def test_rows_of_a_report(table):
    shown = {name: (value, meaning) for name, value, meaning in table.rows(QUALITY)}
    assert {name: value for name, (value, _) in shown.items()} == {
        "Look-Ahead Score": "0.1235",
        "Jigsaw Puzzle Error": "–",
        "Semantic Consistency": "0.5000",
        "PSNR": "17.20 dB",
        "MAE": "12.35 HU",
        "PSNR of the input": "6.68 dB",
        "Network: Semantic Consistency": "0.2500",
        "Network: PSNR": "18.00 dB",
    }
    assert "range -100 to 300" in shown["PSNR"][1] and all(meaning for _, meaning in shown.values())


def test_a_report_of_nothing_but_structure(table):
    """As of a model without a way back, without a reference."""
    quality = {"semantic_consistency": 1.0, "reference": None, "network": None, "slices": {"axis": "z"}}
    assert [name for name, _, _ in table.rows(quality)] == ["Semantic Consistency"]
    assert table.slice_columns(quality) == []


def test_csv_holds_rows_and_slices(table, tmp_path):
    table.export_csv(tmp_path / "m.csv", {**QUALITY, "frames": [QUALITY, QUALITY]}, {"Volume": "a"})
    lines = list(csv.reader((tmp_path / "m.csv").open(encoding="utf-8")))
    assert lines[0] == ["Volume", "a"] and lines[1][:2] == ["Frames", "2"]
    head = next(index for index, line in enumerate(lines) if line[:1] == ["Slice"])
    assert lines[head] == ["Slice", "Look-Ahead error", "PSNR", "MAE"]
    assert lines[head + 1 : head + 3] == [["0", "0.1", "10.0", "1.0"], ["1", "0.2", "", "2.0"]]
    frames = next(index for index, line in enumerate(lines) if line[:1] == ["Frame"])
    assert lines[frames][1] == "Look-Ahead Score" and [line[1] for line in lines[frames + 1 :]] == ["0.1235"] * 2


def test_a_metric_from_outside_is_a_row_and_a_column(table):
    registry.register(registry.Metric("bias", "Bias", "mean difference", unit="of 2", slice_key="bias"))
    try:
        quality = {"bias": 0.25, "slices": {"bias": [0.5, 0.0]}}
        assert table.rows(quality) == [("Bias", "0.250 of 2", "Mean difference.")]
        assert table.slice_columns(quality) == [("Bias", [0.5, 0.0])]
    finally:
        registry.unregister("bias")
