"""Feed-forward training on one style picture: the objective falls, it resumes exactly, its model translates."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_training import as_options, losses_of

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.stylize.losses import Objective, StyleTarget
from surgical_style_engine.volumes.volume import Volume
from training_cli.training.config import load_config
from training_cli.training.loop import train
from training_cli.training.methods.build import build_method
from training_cli.training.state.checkpoint import latest_checkpoint, load_checkpoint


def painting(path, height=60, width=80):
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wave = np.sin(0.5 * x + 2 * np.sin(0.15 * y))
    colours = np.stack([0.5 + 0.3 * wave, 0.5 + 0.3 * np.sin(0.3 * y + 0.4 * x), 0.5 - 0.3 * wave])
    colours += np.random.default_rng(0).normal(0, 0.05, colours.shape)
    write_volume(Volume(np.uint8(255 * np.clip(colours, 0, 1))[:, None], is_2d=True), path)


@pytest.fixture
def settings(tiny, tmp_path):
    (tmp_path / "style").mkdir()
    painting(tmp_path / "style" / "waves.png")
    return tiny | {
        "method": "perceptual",
        "target": tmp_path / "style",
        "target_modality": "ART",
        "features": "random",
        "stack": 1,
        "max_steps": 6,
        "ema_decay": 0.5,
    }


def test_trains_exports_one_direction_and_translates(settings, discs):
    config = load_config(None, settings | {"max_steps": 15, "learning_rate": 4e-3, "sample_every": 15})
    lines = []
    summary = train(config, bar=lambda done, step, losses, left: lines.append(losses))
    assert summary["finished"] and set(lines[0]) == {"total", "content", "style", "variation"}
    first, last = (np.mean([entry["total"] for entry in part]) for part in (lines[:3], lines[-3:]))
    assert last < 0.7 * first
    model = load_model(summary["model"])
    assert model.card.directions == ["forward"] and model.card.training["method"] == "perceptual"
    assert (model.card.domains.source.channels, model.card.domains.target.channels) == (1, 3)
    assert model.card.architecture.backward_arguments is None
    volume = read_volume(discs / "source" / "a.nii.gz")
    made = translate_volume(volume, model, device="cpu").volume
    assert made.array.shape == (3, *volume.array.shape[1:]) and made.same_grid(volume, tolerance=0)
    assert list((config.output / "samples").glob("*.png"))


def test_a_resumed_training_ends_in_the_same_weights(settings, tmp_path):
    whole = load_config(None, settings | {"output": tmp_path / "whole"})
    train(whole)
    part = load_config(None, settings | {"output": tmp_path / "part", "max_steps": 2})
    train(part)
    train(part.model_copy(update={"max_steps": 6}), resume=True)
    states = [load_checkpoint(latest_checkpoint(tmp_path / run / "checkpoints")) for run in ("whole", "part")]
    assert states[0]["step"] == states[1]["step"] == 6
    for part in ("averages", "networks"):
        name = {"averages": "forward", "networks": "G"}[part]
        values = states[0]["method"][part][name]
        other = states[1]["method"][part][name]
        values, other = (values["network"], other["network"]) if part == "averages" else (values, other)
        assert values and all(torch.equal(value, other[key]) for key, value in values.items()), part


def test_its_losses_are_told_everywhere(settings, tmp_path, sst):
    """In losses.csv, in TensorBoard, and as curves of the report."""
    ended = sst("train", *as_options(settings | {"max_steps": 10, "trackers": ["csv", "tensorboard"]}))
    assert ended.code == 0, ended
    rows = losses_of(tmp_path / "run")
    names = {"total", "content", "style", "variation"}
    assert len(rows) == 10 and all(names <= set(row) for row in rows)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    for name in names:
        (event,) = events.Scalars(name)
        assert event.value == pytest.approx(rows[-1][name])
    assert sst("report", tmp_path / "run").code == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert all(f"{name.capitalize()}" in page for name in names)
    assert "source, made target, target" in page and "source again" not in page, "the samples have no way back"


def test_fine_tuning_starts_from_the_model_of_init(settings, tmp_path, sst):
    first = settings | {"name": "first", "output": tmp_path / "first", "learning_rate": 5e-3, "sample_every": 0}
    assert sst("train", *as_options(first)).code == 0
    model = tmp_path / "first" / "model" / "first"
    again = settings | {"init": model, "max_steps": 1, "learning_rate": 1e-9, "sample_every": 0}
    assert sst("train", *as_options(again)).code == 0
    stored, tuned = (
        load_file(folder / "weights.safetensors") for folder in (model, tmp_path / "run" / "model" / "model")
    )
    for key, value in stored.items():
        torch.testing.assert_close(tuned[key].float(), value.float(), rtol=2e-3, atol=1e-5)
    started_from = read_card(tmp_path / "run" / "model" / "model").training["started_from"]
    assert started_from["name"] == "first" and started_from["sha256"] == read_card(model).weights.sha256


def test_a_checkpoint_of_version_0_1_0_is_understood(settings):
    """It had names of its own: G, average and optimizer."""
    first, second = (
        build_method("perceptual", load_config(None, settings), 1, 3, "cpu", nullcontext) for _ in range(2)
    )
    state = first.state_dict()
    old = {
        "G": state["networks"]["G"],
        "average": state["averages"]["forward"],
        "optimizer": state["optimizer_g"],
    }
    second.load_state_dict(old)
    for key, value in first.G.state_dict().items():
        assert torch.equal(value, second.G.state_dict()[key])


def test_which_network_auto_came_to_is_told_and_kept(settings, tmp_path, monkeypatch):
    """In the card; and a run goes on with it, whatever has been fetched since."""
    from surgical_style_engine.stylize.published import cached_weights

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("SST_FEATURES", str(tmp_path / "features"))
    config = load_config(None, settings | {"features": "auto", "max_steps": 1, "sample_every": 0})
    train(config)
    card = read_card(config.output / "model" / config.name)
    assert card.training["features"] == "random" and card.training["settings"]["features"] == "auto"
    for name in ("vgg16", "vgg19"):
        cached_weights(name).parent.mkdir(parents=True, exist_ok=True)
        cached_weights(name).write_bytes(b"fetched since")
    state = load_checkpoint(latest_checkpoint(config.output / "checkpoints"))["method"]
    method = build_method("perceptual", config, 1, 3, "cpu", nullcontext)
    assert method.features == "vgg19"
    method.load_state_dict(state)
    assert method.features == "random"
    # Version 0.1.0 knew VGG-19 and random filters, and did not say which it had.
    del state["features"]
    method.load_state_dict(state)
    assert method.features == "vgg19"
    cached_weights("vgg19").unlink()
    method.load_state_dict(state)
    assert method.features == "random"


def test_style_is_measured_on_the_body_only():
    from surgical_style_engine.stylize.random_features import random_features

    torch.manual_seed(0)
    style = torch.rand(1, 3, 48, 64)
    target = StyleTarget(random_features(style), style, {"fine1": 1.0})
    content = torch.zeros(2, 3, 32, 32)
    mask = torch.zeros(2, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    image = torch.rand(2, 3, 32, 32, requires_grad=True)
    Objective(target, content, load_settings(), mask)(image)["style"].backward()
    assert image.grad[..., 12:20, 12:20].abs().min() > 0 and (image.grad[..., :4, :] == 0).all()


def load_settings():
    from surgical_style_engine.models.style_settings import StyleSettings

    return StyleSettings()


def test_a_target_of_several_pictures_is_refused(settings, tmp_path):
    painting(tmp_path / "style" / "second.png")
    with pytest.raises(InputError, match="one picture; .* has 2"):
        train(load_config(None, settings))
    assert not settings["output"].exists()


def test_grey_targets(settings, tmp_path):
    waves = read_volume(tmp_path / "style" / "waves.png")
    (tmp_path / "style" / "waves.png").unlink()
    write_volume(Volume(waves.array[:1], is_2d=True), tmp_path / "style" / "grey.png")
    summary = train(load_config(None, settings | {"max_steps": 2, "lambda_style": 3, "stack": 3}))
    assert load_model(summary["model"]).card.domains.target.channels == 1
