"""The finished model folder: what it says, what it never says, and that it is what was trained."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_training import as_options

from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.models.folder import load_model, verify_model
from training_cli.training.config import load_config
from training_cli.training.data.prepare import prepare_data
from training_cli.training.export import half_precision
from training_cli.training.loop import train
from training_cli.training.state.checkpoint import latest_checkpoint, load_checkpoint


@pytest.fixture
def trained(tiny, pairs, tmp_path):
    settings = tiny | {
        "max_steps": 3,
        "pairs": pairs,
        "name": "discs",
        "title": "Discs, inverted",
        "source_name": "dark",
        "target_name": "bright",
        "data_description": "Made-up discs.",
        "licence": "CC0-1.0",
    }
    summary = train(load_config(None, settings))
    return tmp_path / "run" / "model" / "discs", summary, settings


def test_the_card_says_what_was_done_and_no_path_of_the_machine(trained, tmp_path):
    folder, summary, settings = trained
    card = verify_model(folder)
    assert summary["model"] == str(folder)
    training = card.training
    assert training["steps"] == 3 and training["method"] == "cyclegan" and training["precision"] == "fp32"
    assert training["minutes"] == pytest.approx(summary["minutes"], abs=0.06)
    assert sorted(training["volumes"]["source"]) == ["a.nii.gz", "b.nii.gz", "c.nii.gz"]
    assert sorted(training["volumes"]["target"]) == ["a.nii.gz", "b.nii.gz"]
    assert training["volumes"]["pairs"] == ["a.nii.gz + a.nii.gz", "b.nii.gz + b.nii.gz"]
    assert (training["settings"]["ngf"], card.stack, card.directions) == (4, 3, ["forward", "backward"])
    assert (card.domains.source.name, card.domains.target.name) == ("dark", "bright")
    for file in ("model.json", "README.md"):
        text = (folder / file).read_text(encoding="utf-8")
        assert str(tmp_path) not in text and str(Path.home()) not in text and "/tmp" not in text
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "model.json", "weights.safetensors"]
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "3 steps (3 images)" in readme
    # What was trained on too few images says so wherever the card is shown.
    (limit,) = training["limits"]
    assert training["images"] == 3 and "3 images" in limit and "20,000" in limit and f"**Limits.** {limit}" in readme


def test_the_weights_are_the_averages_in_half_precision(trained, tmp_path):
    folder, *_ = trained
    stored = load_file(folder / "weights.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.float16}
    averages = load_checkpoint(latest_checkpoint(tmp_path / "run" / "checkpoints"))["method"]["averages"]
    expected = {f"{way}.{key}": value for way in averages for key, value in averages[way]["network"].items()}
    assert stored.keys() == expected.keys()
    assert all(torch.equal(stored[key], value.half()) for key, value in expected.items())
    model = load_model(folder)
    with torch.no_grad():
        image = torch.rand(1, 3, 32, 32) * 2 - 1
        assert torch.isfinite(model.generator("forward")(image)).all()


def test_everybody_may_read_the_weights_who_may_read_new_files(trained):
    folder, *_ = trained
    (folder / "plain").write_text("")
    plain = (folder / "plain").stat().st_mode
    assert all((folder / name).stat().st_mode == plain for name in os.listdir(folder))


def test_the_domains_carry_what_a_translation_is_scaled_to_and_compared_with(trained, tmp_path):
    folder, _, settings = trained
    card = verify_model(folder)
    data = prepare_data(load_config(None, settings), tmp_path / "run" / "cache")
    for domain, items in ((card.domains.source, data.source), (card.domains.target, data.target)):
        highs = [item.landmarks["high"] for item in items]
        assert min(highs) <= domain.inverse.high <= max(highs)
        assert np.allclose([sum(shares) for shares in domain.statistics["histograms"]], 1, atol=1e-3)
        assert len(domain.statistics["raw_p99"]) == len(items)


def test_weights_beyond_half_precision_are_one_sentence_and_counters_stay_whole():
    network = torch.nn.BatchNorm2d(2)
    network.num_batches_tracked += 70_001
    state = half_precision(network)
    assert state["num_batches_tracked"].item() == 70_001 and state["running_var"].dtype == torch.float16
    network.running_var[0] = 1e6
    with pytest.raises(StyleTransferError, match="running_var are infinite or NaN in half precision"):
        half_precision(network)


def test_training_again_replaces_the_model_whole(trained):
    folder, _, settings = trained
    train(load_config(None, settings | {"max_steps": 5}), resume=True)
    assert verify_model(folder).training["steps"] == 5
    assert [path.name for path in folder.parent.iterdir()] == ["discs"]


def test_the_article_networks_become_a_model_that_translates(tiny, sst, discs, tmp_path):
    """Batch normalisation has running statistics and counters that a model folder must carry."""
    settings = tiny | {"generator": "article", "discriminator": "article", "adversarial": "bce", "max_steps": 2}
    assert sst("train", *as_options(settings)).code == 0
    model = tmp_path / "run" / "model" / "model"
    ended = sst("translate", discs / "source" / "c.nii.gz", tmp_path / "out.nii.gz", "--model", model)
    assert ended.code == 0, ended
    made, given = read_volume(tmp_path / "out.nii.gz"), read_volume(discs / "source" / "c.nii.gz")
    assert made.same_grid(given) and made.array.std() > 0
    assert json.loads((model / "model.json").read_text())["architecture"]["name"] == "article"
