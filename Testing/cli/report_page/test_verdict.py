"""The verdict on the page: above the slices, with the numbers behind a fold, and the bound as a layer."""

import numpy as np
from page_reader import page_of

from surgical_style_engine.app.report import read_report, write_report
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from training_cli.report_page.verdict import shown_verdict

ENTRY = {
    "level": "amber",
    "sentence": "With care. Mean error bound is above that of all left-out patients: 90 (left-out patients 40 to 80).",
    "reasons": ["Mean error bound is above that of all left-out patients: 90 (...).", "A second reason."],
    "compared": [
        {"title": "Mean error bound", "text": "90 (left-out patients 40 to 80)", "within": False},
        {"title": "Expected PSNR", "text": "18 ± 2 dB (left-out patients 16 to 20)", "within": True},
    ],
    "calibrated": True,
    "bound": {"mean": 90.0, "limit": 200.0, "untrusted_share": 0.07, "level": 0.9, "units": "arbitrary"},
    "left_out": {
        "patients": 13,
        "hospitals": 8,
        "tumour": {"mean": 0.8, "worst": 0.41},
        "psnr": {"low": 12, "high": 19},
    },
}


def test_a_verdict_with_its_numbers():
    shown = shown_verdict({"verdict": ENTRY})
    assert (shown.level, shown.title, shown.more) == ("amber", "Amber", ["A second reason."])
    assert [row.verdict for row in shown.table.rows] == ["worse than all of them", ""]
    assert "90%" in shown.notes[0] and "7%" in shown.notes[0] and "80%" in shown.notes[1] and "41%" in shown.notes[1]
    assert "12.0 to 19.0 dB" in shown.notes[2] and "13 patients of 8 hospitals" in shown.notes[3]


def test_reports_of_earlier_versions_and_means_of_cohorts_have_none():
    assert shown_verdict({}) is None and shown_verdict({"verdict": {"bound": {"mean": 90.0}}}) is None


def test_a_level_that_is_not_known_is_none():
    assert shown_verdict({"verdict": {**ENTRY, "level": '"><script>'}}).level == "none"


def test_the_page_has_the_verdict_and_the_bound_as_a_layer(sst, run, tmp_path):
    report = read_report(run / "report.json")
    head = read_volume(run / "SMITH_JOHN_T1.nrrd")
    write_volume(head.with_array(np.where(head.array > 0, 90, -1).astype(np.float32)), tmp_path / "bound.nii.gz")
    report["quality"]["verdict"] = ENTRY
    report["maps"] = {**report["maps"], "error_bound": str(tmp_path / "bound.nii.gz")}
    write_report(tmp_path / "r.json", report)
    page = page_of(sst, tmp_path / "r.json")
    assert ENTRY["sentence"] in page.text and "13 patients of 8 hospitals" in page.text
    assert len(page.all("details")) == 1 and any("amber" in a.get("class", "") for a in page.all("div"))
    assert "Error bound" in [pane["title"] for pane in page.viewers[0]["panes"]] and "±200" in page.text
    report["quality"]["verdict"] = None
    write_report(tmp_path / "r.json", report)
    page = page_of(sst, tmp_path / "r.json")
    assert page.all("details") == [] and "Error bound" not in [pane["title"] for pane in page.viewers[0]["panes"]]
