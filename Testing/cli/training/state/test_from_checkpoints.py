"""A model of one checkpoint, or of the mean of several."""

from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import load_model, verify_model
from training_cli.commands.models import app
from training_cli.training.config import load_config
from training_cli.training.loop import train
from training_cli.training.state.checkpoint import load_checkpoint
from training_cli.training.state.from_checkpoints import export_checkpoints


@pytest.fixture
def run(tiny, tmp_path):
    """A finished run of four steps with checkpoints at each."""
    train(load_config(None, tiny | {"checkpoint_every": 1, "keep_checkpoints": 4, "name": "discs", "notes": "Ours."}))
    return tmp_path / "run"


def averages(run, step):
    state = load_checkpoint(run / "checkpoints" / f"checkpoint-{step:08d}.pt")["method"]["averages"]
    return {f"{way}.{key}": value for way in state for key, value in state[way]["network"].items()}


def test_a_single_checkpoint_gives_its_averaged_weights(run):
    folder = export_checkpoints(run, [2], name="early")
    assert folder == run / "model" / "early"
    stored = load_file(folder / "weights.safetensors")
    assert all(torch.equal(stored[key], value.half()) for key, value in averages(run, 2).items())
    card = verify_model(folder)
    assert (card.name, card.training["steps"], card.training["notes"]) == ("early", 2, "Ours.")


def test_several_checkpoints_give_their_mean_and_the_card_says_so(run):
    folder = export_checkpoints(run, [1, 2, 4], name="mean")
    stored = load_file(folder / "weights.safetensors")
    first, second, last = (averages(run, step) for step in (1, 2, 4))
    changed = 0
    for key, value in stored.items():
        mean = (first[key].double() + second[key].double() + last[key].double()) / 3
        torch.testing.assert_close(value.float(), mean.float(), rtol=1e-3, atol=1e-6)
        changed += not torch.equal(value, last[key].half())
    assert changed
    card = verify_model(folder)
    assert card.training["steps"] == 4
    assert "mean of the averaged weights at steps 1, 2 and 4" in card.training["notes"]
    assert card.training["notes"].endswith("Ours.")
    assert "steps 1, 2 and 4" in (folder / "README.md").read_text(encoding="utf-8")
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        assert torch.isfinite(load_model(folder).generator("backward")(image)).all()


def test_the_best_without_pairs_is_chosen_and_every_score_said(run, monkeypatch):
    said: list[str] = []
    scores = iter([0.1, 0.4, 0.3, 0.2])
    monkeypatch.setattr(
        "training_cli.training.state.from_checkpoints.unpaired_score",
        lambda network, data, config: {"placed": 0.2, "structure": 0.5, "score": next(scores)},
    )
    folder = export_checkpoints(run, name="best", select="best", say=said.append)
    card = verify_model(folder)
    assert card.training["steps"] == 2 and "highest score without pairs" in card.training["notes"]
    assert [line for line in said if line.startswith("step ")][
        1
    ] == "step 2: score 0.400 (placed 0.200, structure 0.500)"
    with pytest.raises(InputError, match="not by both"):
        export_checkpoints(run, [2], name="both", select="best")
    with pytest.raises(InputError, match="best or last"):
        export_checkpoints(run, name="worst", select="worst")


def test_the_newest_is_what_the_training_itself_exported(run):
    before = load_file(run / "model" / "discs" / "weights.safetensors")
    done = CliRunner().invoke(app, ["export", str(run), "--name", "again"])
    assert done.exit_code == 0, done.output
    after = load_file(run / "model" / "again" / "weights.safetensors")
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)


def test_a_run_that_was_moved_is_exported_to_any_folder(run, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.move(run, moved)
    folder = export_checkpoints(moved, [3], folder=tmp_path / "out" / "discs")
    assert verify_model(folder).training["steps"] == 3


@pytest.mark.parametrize("method", ["cut", "paired"])
def test_the_other_methods_are_exported_too(tiny, pairs, tmp_path, method):
    settings = tiny | {"method": method, "pairs": pairs, "max_steps": 2, "checkpoint_every": 1, "name": "discs"}
    train(load_config(None, settings))
    folder = export_checkpoints(tmp_path / "run", [1, 2], name="mean")
    assert verify_model(folder).directions == verify_model(tmp_path / "run" / "model" / "discs").directions


def test_what_cannot_be_exported_is_said_in_one_sentence_and_leaves_nothing(run, tmp_path):
    there = (run / "model" / "discs" / "weights.safetensors").read_bytes()
    for arguments, sentence in [
        ({"steps": [7]}, "no checkpoint of step 7; there are 1, 2, 3, 4"),
        ({}, "exists already"),
        ({"name": "a/b"}, "cannot be a model's name"),
    ]:
        with pytest.raises(InputError, match=sentence):
            export_checkpoints(run, **arguments)
    assert (run / "model" / "discs" / "weights.safetensors").read_bytes() == there
    with pytest.raises(InputError, match="is no run of sst train"):
        export_checkpoints(tmp_path)
    config = run / "config.json"
    text = config.read_text()
    config.write_text(text.replace('"ngf": 4', '"ngf": 8'))
    with pytest.raises(InputError, match="other settings"):
        export_checkpoints(run, [1], name="other")
    config.write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        export_checkpoints(run, [1], name="other")
    config.write_text(text)
    (run / "checkpoints" / "checkpoint-00000002.pt").write_bytes(b"cut")
    with pytest.raises(InputError, match="cannot be read"):
        export_checkpoints(run, [1, 2], name="other")
    assert [path.name for path in (run / "model").iterdir()] == ["discs"]
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(InputError, match="no checkpoint yet"):
        export_checkpoints(run)
