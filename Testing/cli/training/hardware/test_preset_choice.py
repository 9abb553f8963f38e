"""What is chosen for a training, what is said of it, and that a resumed one goes on with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import make_tiny_model
from tiny_training import as_options

from training_cli.training.config import load_config
from training_cli.training.hardware import preset_choice
from training_cli.training.hardware.preset_choice import apply_preset


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    """``chosen(seconds, **settings)`` -> (configuration, lines); a training takes ``seconds(config)`` an image."""

    def choose(seconds, resume: bool = False, **settings):
        monkeypatch.setattr(preset_choice, "seconds_an_image", lambda config, device: seconds(config))
        base = {"source": tmp_path, "target": tmp_path, "output": tmp_path / "run", "device": "cpu", "preset": "auto"}
        config, lines = load_config(None, base | settings), []
        apply_preset(config, resume, lines.append)
        return config, lines

    return choose


def as_pixels(a_second: float):
    """Seconds an image where so many pixels of a patch take a second."""
    return lambda config: config.patch_size**2 / a_second


def test_the_best_network_that_sees_enough_images_is_taken_and_said(chosen):
    config, lines = chosen(as_pixels(1e6), max_minutes=30, threads=2)
    assert (config.generator, config.patch_size, config.batch_size, config.stack) == ("bilateral", 192, 2, 3)
    assert lines == [
        "CPU with 2 threads: bilateral generator, patches of 192, 2 at a time, about 49,000 images in 30 minutes."
    ]
    smaller, lines = chosen(as_pixels(3e5), max_minutes=30, threads=1)
    assert smaller.patch_size == 160 and "about 21,000 images" in lines[0] and len(lines) == 1
    assert lines[0].startswith("CPU with 1 thread: ")


def test_too_small_a_budget_is_said_before_the_start_with_the_number_and_what_to_do(chosen):
    config, lines = chosen(as_pixels(1e6), max_minutes=0.1)
    assert config.patch_size == 128  # the lightest
    (_, warning) = lines
    assert "about 370 images are too few" in warning and "20,000" in warning and "--max-minutes 6." in warning
    _, (_, warning) = chosen(as_pixels(1e6), max_steps=10)
    assert "about 20 images" in warning and warning.endswith("give --max-steps 10000.")


def test_what_was_given_stays_and_the_advice_is_what_would_help(chosen):
    config, (line, warning) = chosen(lambda config: 40.0, max_minutes=2, ngf=64, patch_size=256)
    assert (config.generator, config.batch_size, config.stack, config.patch_size) == ("resnet", 1, 1, 256)
    assert line.endswith("resnet generator, patches of 256, about 3 images in 2 minutes.")
    assert warning.endswith("give --max-minutes 14000 or --patch-size 128 or --generator bilateral.")


def test_the_recipe_for_pairs_comes_with_its_network_alone(chosen, tmp_path):
    pairs = {"method": "paired", "pairs": tmp_path / "p.csv", "max_minutes": 60}
    config, _ = chosen(as_pixels(1e6), **pairs, lambda_ssim=0.1)
    assert (config.lambda_ssim, config.lambda_sharpness, config.randomise) == (0.1, 0.5, "strong")
    assert (config.learning_rate, config.lambda_adversarial, config.constant_fraction) == (1e-3, 0.0, 0.7)
    ct, _ = chosen(as_pixels(1e6), **pairs, source_modality="CT")
    assert (ct.generator, ct.randomise) == ("bilateral", "none")
    resnet, _ = chosen(as_pixels(1e6), **pairs, generator="resnet")
    assert (resnet.lambda_ssim, resnet.learning_rate, resnet.randomise) == (0.0, 2e-4, "none")


def test_methods_and_images_that_the_bilateral_generator_does_not_fit_get_another(chosen, tmp_path):
    assert chosen(as_pixels(1e6), method="cut", max_minutes=60)[0].generator == "resnet"
    several = {"method": "paired", "pairs": tmp_path / "p.csv", "extra_sources": "*_FLAIR*"}
    assert chosen(as_pixels(1e6), **several, max_minutes=60)[0].generator == "resnet"
    assert chosen(as_pixels(1e6), target_modality="ART", max_minutes=60)[0].generator == "resnet"
    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "pictures" / "a.png")
    assert chosen(as_pixels(1e6), target=tmp_path / "pictures", max_minutes=60)[0].generator == "resnet"


def test_pictures_are_timed_without_the_pseudo_pairs_that_they_will_not_have(chosen):
    timed = []

    def seconds(config):
        timed.append(config.asks_pseudo_pairs())
        return 0.01

    config, _ = chosen(seconds, target_modality="ART", max_minutes=60)
    assert timed == [False] and config.asks_pseudo_pairs()
    chosen(seconds, max_minutes=60)
    assert timed == [False, True]


def test_article_and_none_change_nothing(chosen):
    plain = load_config(None, {"source": "a", "target": "b", "output": "r", "max_minutes": 600})
    for preset in ("article", "none"):
        config, lines = chosen(lambda config: 1.0, preset=preset, max_minutes=600)
        assert config.decisive() == plain.decisive() and len(lines) == (1 if preset == "article" else 0)


def test_where_nothing_is_measured_the_best_is_taken_without_a_number(chosen):
    config, lines = chosen(lambda config: None, max_minutes=1)
    assert config.patch_size == 192 and lines == [lines[0]] and "images" not in lines[0]


def test_fine_tuning_keeps_the_models_network_and_needs_no_number_of_images(chosen, tmp_path):
    folder = make_tiny_model(tmp_path, name="start")
    config, lines = chosen(lambda config: 10.0, init=str(folder), max_minutes=1)
    assert (config.generator, config.ngf, config.stack) == ("resnet", 4, 1) and config.patch_size in (192, 128)
    assert len(lines) == 1 and "generator of start" in lines[0]


def test_a_resumed_run_goes_on_with_what_was_chosen(tiny, tmp_path, sst):
    few = {key: value for key, value in tiny.items() if key not in ("ngf", "n_blocks", "patch_size", "stack")}
    small = few | {"batch_size": 1, "spacing": 4.0, "patch_size": 64, "max_steps": 1}
    begun = sst("train", *as_options(small))
    assert begun.code == 0 and "bilateral generator, patches of 64" in begun.out and "too few" in begun.out
    before = json.loads(Path(tmp_path / "run" / "config.json").read_text())
    assert before["generator"] == "bilateral" and before["stack"] == 3
    resumed = sst("train", *as_options(small | {"max_steps": 2}), "--resume")
    assert resumed.code == 0 and "Resumed from step 1" in resumed.out
    other = sst("train", *as_options(small | {"max_steps": 3, "generator": "resnet"}), "--resume")
    assert other.code == 2 and "generator was bilateral and is resnet" in other.err


def test_a_run_that_began_without_a_preset_is_resumed_as_it_was(chosen, tmp_path):
    (tmp_path / "run").mkdir()
    before = load_config(None, {"source": "a", "target": "b", "output": "r", "max_steps": 1, "ngf": 8, "stack": 5})
    older = {key: value for key, value in before.model_dump(mode="json").items() if key != "lambda_ssim"}
    (tmp_path / "run" / "config.json").write_text(json.dumps(older))
    config, lines = chosen(as_pixels(1e6), resume=True, max_minutes=60, batch_size=4)
    assert lines == [] and (config.generator, config.ngf, config.stack, config.batch_size) == ("resnet", 8, 5, 4)
    (tmp_path / "run" / "config.json").write_text("[1")  # tells nothing: as at a beginning
    assert chosen(as_pixels(1e6), resume=True, max_minutes=60)[0].generator == "bilateral"
