"""Fine-tuning: a training that starts from a finished model."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from tiny_methods import make_method
from tiny_training import as_options, disc_volume

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model


@pytest.fixture
def unpaired(tiny, tmp_path, sst):
    """A model of a few unpaired steps, of an architecture that is not the default one."""
    settings = tiny | {
        "output": tmp_path / "first",
        "name": "first",
        "max_steps": 3,
        "stack": 1,
        "ngf": 6,
        "spacing": 1.25,
        "sample_every": 0,
    }
    assert sst("train", *as_options(settings)).code == 0
    return tmp_path / "first" / "model" / "first"


@pytest.fixture
def more(tiny, pairs, unpaired) -> dict:
    """Settings of a fine-tuning; what the first model decides is left to it."""
    settings = {key: value for key, value in tiny.items() if key not in ("ngf", "n_blocks", "stack")}
    return settings | {"init": unpaired, "pairs": pairs, "name": "second", "sample_every": 0}


def test_fine_tuning_on_pairs_lowers_the_paired_error(more, unpaired, tmp_path, sst):
    settings = more | {
        "method": "paired",
        "max_steps": 60,
        "learning_rate": 3e-3,
        "lambda_adversarial": 0,
        "checkpoint_every": 1000,
    }
    ended = sst("train", *as_options(settings))
    assert ended.code == 0, ended
    for side in ("source", "target"):
        sitk.WriteImage(disc_volume(77, inverted=side == "target"), str(tmp_path / f"{side}.nii.gz"))
    source, target = (read_volume(tmp_path / f"{side}.nii.gz") for side in ("source", "target"))

    def error(folder) -> float:
        made = translate_volume(source, load_model(folder), device="cpu", precision="fp32").volume
        return float(np.abs(made.array - target.array).mean())

    tuned = tmp_path / "run" / "model" / "second"
    assert error(tuned) < 0.5 * error(unpaired)
    card, first = read_card(tuned), read_card(unpaired)
    assert card.training["started_from"]["sha256"] == first.weights.sha256
    assert card.architecture.arguments == first.architecture.arguments and card.spacing_mm == 1.25
    readme = (tuned / "README.md").read_text(encoding="utf-8")
    assert f"Started from the weights of first (SHA-256 {first.weights.sha256})" in readme
    assert str(tmp_path) not in readme + (tuned / "model.json").read_text(encoding="utf-8")


def test_a_resumed_fine_tuning_still_says_where_it_began(more, unpaired, tmp_path, sst):
    settings = more | {"method": "cut", "max_steps": 2}
    assert sst("train", *as_options(settings)).code == 0
    ended = sst("train", *as_options(settings | {"max_steps": 3}), "--resume")
    assert ended.code == 0, ended
    card = read_card(tmp_path / "run" / "model" / "second")
    assert card.training["steps"] == 3 and card.directions == ["forward"]
    assert card.training["started_from"]["name"] == "first"


def test_a_cut_model_gives_cyclegan_its_only_direction(more, tmp_path, sst):
    assert sst("train", *as_options(more | {"method": "cut", "max_steps": 1, "output": tmp_path / "cut"})).code == 0
    again = more | {"init": tmp_path / "cut" / "model" / "second", "method": "cyclegan", "max_steps": 1}
    assert sst("train", *as_options(again)).code == 0
    assert read_card(tmp_path / "run" / "model" / "second").directions == ["forward", "backward"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"ngf": 8}, "The model first has ngf 6, but the settings ask for 8."),
        ({"generator": "unet_reference"}, "has generator resnet, but the settings ask for unet_reference"),
        ({"init": "nowhere"}, "There is no model 'nowhere'"),
    ],
)
def test_what_does_not_fit_is_one_sentence(settings, sentence, more, tmp_path, refused):
    assert sentence in refused("train", *as_options(more | settings))
    assert not (tmp_path / "run").exists()


def test_other_channels_are_one_sentence(unpaired):
    with pytest.raises(InputError, match="does not fit the channels of these images"):
        make_method("cyclegan", 3, 1, init=str(unpaired), ngf=6, n_blocks=1)


def test_damaged_weights_are_refused(more, unpaired, refused):
    card = json.loads((unpaired / "model.json").read_text())
    card["weights"]["sha256"] = "0" * 64
    (unpaired / "model.json").write_text(json.dumps(card))
    assert "are damaged" in refused("train", *as_options(more))
