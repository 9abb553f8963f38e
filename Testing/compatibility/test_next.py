"""What has been added to the formats since 0.1.0 opens: fixtures of ``make_next.py``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from surgical_style_engine.app.report import read_report
from surgical_style_engine.harmonise.look import load_look
from surgical_style_engine.inference.fit.usual import unusual_distance
from surgical_style_engine.models.calibration import read_calibration
from surgical_style_engine.models.folder import load_model
from training_cli.cohort.run.manifest import read_manifest
from training_cli.cohort.summary.page import write_page
from training_cli.training.config import TrainingConfig
from training_cli.training.state.checkpoint import load_checkpoint
from training_cli.training.state.resume import changed_settings

NEXT = Path(__file__).resolve().parent / "next"


def test_the_model_opens_with_all_that_its_folder_holds():
    model = load_model(NEXT / "model")
    model.check_weights()
    card, calibration = model.card, read_calibration(NEXT / "model", model.card)
    assert (card.architecture.name, card.stack, card.directions) == ("bilateral", 3, ["forward", "backward"])
    assert card.lesions["forward"].kept == 2 and card.lesions["forward"].smallest_mm == 6
    assert calibration is not None and calibration.directions["forward"].patients == 12
    statistics = card.domains.source.statistics["usual"]
    near, far = (
        unusual_distance(np.full(8, value, np.float32), statistics, statistics["recogniser"]) for value in (0, 50)
    )
    assert near[0] < near[1] == far[1] < far[0]


def test_the_run_can_be_resumed(tmp_path):
    values = json.loads((NEXT / "run" / "config.json").read_text(encoding="utf-8"))
    state = load_checkpoint(NEXT / "run" / "checkpoints" / "checkpoint-00000002.pt")
    assert changed_settings(state, TrainingConfig(**values)) == "" and state["step"] == 2


def test_the_report_opens(sst_page):
    report = read_report(NEXT / "report.json")
    assert report["quality"]["verdict"] and report["recognised"]
    assert report["model"]["name"] in sst_page


def test_the_manifest_opens_and_its_page_is_made_of_it(tmp_path):
    metrics, rows = read_manifest(NEXT / "cohort" / "manifest.csv")
    states = {row.volume: (row.state, bool(row.reason)) for row in rows}
    assert states["a/p1_T1.nii.gz"][0] == states["b/p2_T1.nii.gz"][0] == "done"
    assert states["broken.nii.gz"] == ("failed", True)
    done = next(row for row in rows if row.state == "done")
    assert "look_ahead_score" in metrics and done.number("seconds") and done.input_sha256 and done.backend == "torch"
    shutil.copytree(NEXT / "cohort", tmp_path / "cohort")
    write_page(tmp_path / "cohort", "Then")
    assert "a/p1_T1.nii.gz" in (tmp_path / "cohort" / "summary.html").read_text(encoding="utf-8")


def test_the_look_opens():
    look = load_look(NEXT / "made-up.look.json")
    assert (look.kind, look.name, len(look.levels)) == ("T1w", "made up", len(look.tissues))


@pytest.fixture
def sst_page(tmp_path) -> str:
    """The page of the report."""
    from training_cli.main import main

    shutil.copy(NEXT / "report.json", tmp_path / "report.json")
    with pytest.raises(SystemExit) as ended:
        main(["report", str(tmp_path / "report.json")])
    assert not ended.value.code
    return (tmp_path / "report.html").read_text(encoding="utf-8")
