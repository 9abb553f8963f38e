"""The model card: what training says, and what evaluations add."""

import json
import shutil

import pytest
from tiny_calibrations import calibrate

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import verify_model
from training_cli.model_card import add_metrics, model_readme
from training_cli.report_page.facts import card_facts

QUALITY = {
    "look_ahead_score": 0.0512345,
    "jigsaw_puzzle_error": None,
    "semantic_consistency": 0.61,
    "reference": {
        "psnr": 17.123456,
        "ssim": 0.6,
        "ms_ssim": 0.8,
        "mae_normalised": 0.1,
        "mae": 30.0,
        "floors": {
            name: {"psnr": 13.5, "ssim": 0.4, "ms_ssim": 0.5, "mae_normalised": 0.3, "mae": 90.0}
            for name in ("input", "histogram_matched")
        },
    },
}


@pytest.fixture
def model(tiny_model, tmp_path):
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_model, folder)
    values = json.loads((folder / "model.json").read_text())
    values["training"] = {
        "method": "cyclegan",
        "steps": 7,
        "minutes": 1.5,
        "precision": "fp32",
        "torch": "2.9",
        "processor": "x",
        "date": "2026-01-02",
        "data": "Discs.",
        "notes": "Made by `sst train`.",
        "volumes": {"source": ["a.nii"], "target": ["b.nii"], "pairs": []},
    }
    (folder / "model.json").write_text(json.dumps(values))
    return folder


def test_the_readme_says_all_that_the_card_holds(model):
    text = model_readme(read_card(model))
    for part in ("# Tiny", "T1w <-> T2w", "7 steps in 1.5 minutes", "Discs.", "Made by `sst train`.", "a.nii", "none"):
        assert part in text
    assert "## Figures" not in text and "**Limits.**" not in text


def test_limits_are_said_by_every_view_of_a_card(model, sst):
    values = json.loads((model / "model.json").read_text())
    values["training"] |= {"images": 1400, "limits": ["Trained on few.", "Half of it is checkerboard."]}
    (model / "model.json").write_text(json.dumps(values))
    card = read_card(model)
    assert "7 steps (1,400 images) in 1.5 minutes" in model_readme(card)
    assert "**Limits.** Trained on few. Half of it is checkerboard." in model_readme(card)
    assert dict(card_facts(card))["Limits"] == "Trained on few. Half of it is checkerboard."
    verified = sst("models", "verify", model)
    assert verified.code == 0 and "Limit: Trained on few." in verified.out and "Half of it" in verified.out


def test_what_is_known_of_errors_stays_when_figures_are_added(model):
    add_metrics(model, "patient A", QUALITY)
    without = (model / "README.md").read_text()
    calibrate(model)
    add_metrics(model, "patient A", QUALITY)
    text = (model / "README.md").read_text()
    assert text.startswith(without) and "## How far it errs" in text[len(without) :]
    add_metrics(model, "patient A", QUALITY)
    assert (model / "README.md").read_text() == text


def test_figures_go_into_card_and_readme_and_the_model_stays_whole(model):
    add_metrics(model, "patient A", QUALITY)
    card = add_metrics(model, "patient B", {"semantic_consistency": 0.5, "reference": None})
    assert verify_model(model).metrics == card.metrics
    assert card.metrics["patient A"]["psnr"] == 17.1235 and card.metrics["patient A"]["floors"]["input"]["psnr"] == 13.5
    assert card.metrics["patient B"] == {"semantic_consistency": 0.5}
    text = (model / "README.md").read_text()
    assert "| this model | 17.12 | 0.600 | 0.800 | 0.100 |" in text
    assert "| the input itself | 13.50 | 0.400 | 0.500 | 0.300 |" in text
    assert "Look-Ahead Score 0.051, Semantic Consistency 0.610." in text and "Jigsaw Puzzle Error 0" not in text


def test_an_evaluation_of_the_same_label_replaces_the_earlier(model):
    add_metrics(model, "A", QUALITY)
    card = add_metrics(model, "A ", {"semantic_consistency": 0.7})
    assert card.metrics == {"A": {"semantic_consistency": 0.7}}


def test_no_label_is_refused(model):
    before = (model / "model.json").read_text()
    with pytest.raises(InputError, match="label"):
        add_metrics(model, "  ", QUALITY)
    assert (model / "model.json").read_text() == before


def test_evaluate_writes_the_card(sst, model, head_volume, tmp_path):
    from surgical_style_engine.imageio.write import write_volume

    write_volume(head_volume(), tmp_path / "v.nrrd")
    ended = sst(
        "evaluate",
        "--model",
        model,
        "--source",
        tmp_path / "v.nrrd",
        "--report",
        tmp_path / "r.json",
        "--no-cycle",
        "--write-card",
        "one volume",
    )
    assert ended.code == 0, ended
    assert 0 <= read_card(model).metrics["one volume"]["semantic_consistency"] <= 1
    assert "**one volume**" in (model / "README.md").read_text()
