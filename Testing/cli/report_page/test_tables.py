"""The tables of metrics: floors beside them, verdicts, warnings, and what no table knows."""

import pytest

from surgical_style_engine.metrics import registry
from training_cli.report_page.tables import tables_of


def test_floors_stand_beside_the_metrics():
    floors = {"input": {"psnr": 20.0, "ssim": 0.5}, "histogram_matched": {"psnr": 22.0, "ssim": 0.7}}
    made = tables_of({"reference": {"psnr": 19.0, "ssim": 0.9, "floors": floors}})
    (table,) = made.tables
    assert table.columns == ["Value", "Floor: the input itself", "Floor: histogram matched"]
    assert [row.cells for row in table.rows] == [["19.00", "20.00", "22.00"], ["0.900", "0.500", "0.700"]]
    assert [row.verdict for row in table.rows] == ["worse than doing nothing", "better than every floor"]
    assert made.warnings == ["By PSNR (dB) the input itself is closer to the real image than the translation."]
    between = tables_of({"reference": {"psnr": 21.0, "floors": floors}})
    assert between.tables[0].rows[0].verdict == "better than the input only" and between.warnings == []


def test_what_metrics_warn_of():
    hidden = tables_of({"look_ahead_score": 0.3, "look_ahead_score_raw": 0.1})
    assert "faint copy" in hidden.warnings[0]
    assert tables_of({"look_ahead_score": 0.3, "look_ahead_score_raw": 0.29}).warnings == []
    contrast = {
        "tissues": {name: {"before": 1.0, "after": 2.0, "voxels": 5} for name in ("white", "CSF")},
        "order_after": ["CSF", "white"],
        "expected": ["white", "CSF"],
        "as_expected": False,
    }
    assert "wrong order" in tables_of({"tissue_contrast": contrast}).warnings[0]
    distance = {"value": 0.5, "deviation": 0.1, "floors": {"input": 0.2, "histogram_matched": 0.4}}
    assert "kernel MMD of slice statistics" in tables_of({"kid": distance}).warnings[0]
    assert [table.title for table in tables_of({"new_figure": 3.0}).tables] == ["Other figures"]


def test_numbers_of_metrics_that_are_not_known_here_are_shown():
    """A report may come from where more metrics are registered."""
    paired = {"psnr": 19.0, "sharpness": 0.5, "floors": {"input": {"psnr": 20.0, "sharpness": 0.25}}}
    (table,) = tables_of({"reference": paired}).tables
    assert [(row.name, row.cells) for row in table.rows][1] == ("Sharpness", ["0.5", "0.25"])


def test_a_metric_from_outside_has_a_row_with_its_verdict():
    registry.register(registry.Metric("sharpness", "Sharpness", "edges", higher_is_better=True, needs_reference=True))
    registry.register(registry.Metric("bias", "Bias", "mean difference", unit="of 2", format="{:.1f}"))
    try:
        paired = {"sharpness": 0.5, "floors": {"input": {"sharpness": 0.25}}}
        alone, against = tables_of({"bias": 0.25, "reference": paired}).tables
    finally:
        registry.unregister("sharpness")
        registry.unregister("bias")
    assert [(row.name, row.cells) for row in alone.rows] == [("Bias (of 2)", ["0.2", registry.NOTHING])]
    assert [(row.name, row.verdict) for row in against.rows] == [("Sharpness", "better than every floor")]


def test_the_networks_own_stands_apart():
    """Where strength, region or adjustments make another image of it."""
    quality = {"semantic_consistency": 0.9, "network": {"semantic_consistency": 0.5, "reference": {"psnr": 17.2}}}
    delivered, network = tables_of(quality).tables
    assert [row.cells[0] for row in delivered.rows] == ["0.900"]
    assert [(row.name, row.cells) for row in network.rows] == [
        ("Semantic Consistency", ["0.500"]),
        ("PSNR (dB)", ["17.20"]),
    ]
    assert "network" in network.title and tables_of({"network": None}).tables == []


@pytest.mark.parametrize("floors", [{}, {"reference": {"q_abf": 0.5, "entropy": 5.0}, "average": {"q_abf": 0.7}}])
def test_a_fusion_is_judged_by_what_it_kept(floors):
    (table,) = tables_of({"q_abf": 0.6, "entropy": 4.0, "floors": floors}).tables
    verdicts = {row.name: row.verdict for row in table.rows}
    assert verdicts == {"Q^AB/F": "below plain average" if floors else "", "Entropy (bits)": ""}
