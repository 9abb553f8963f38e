"""Presets as tables: what they set, what they leave alone, and what is said of the number of images."""

from __future__ import annotations

import pytest

from surgical_style_engine.networks import build_generator
from training_cli.training.config import TrainingConfig, load_config
from training_cli.training.config.presets import (
    CHOSEN,
    KINDS,
    MR_RECIPE,
    PAIRED_RECIPE,
    images_within,
    ladder,
    rounded,
    too_few_limit,
    too_few_sentence,
)

BASE = {"source": "a", "target": "b", "output": "r", "max_steps": 1}
RECIPE = PAIRED_RECIPE | MR_RECIPE


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
@pytest.mark.parametrize("bilateral", [True, False])
def test_every_step_of_a_ladder_is_a_configuration_with_a_network(kind, bilateral):
    steps = ladder(kind, ["source", "max_steps"], bilateral, RECIPE, 4)
    assert len(steps) >= 2 and all(set(settings) <= set(CHOSEN) for settings in steps)
    for settings in steps:
        config = load_config(None, BASE | settings)
        assert config.generator == ("bilateral" if bilateral else "resnet")
        stack = config.stack
        if bilateral:
            network = build_generator("bilateral", in_channels=stack, out_channels=stack, **config.generator_settings)
            assert sum(weight.numel() for weight in network.parameters()) < 2e6 and stack == 3
        assert config.patch_size % 4 == 0
    # Each step is lighter than the one before.
    pixels = [settings["patch_size"] ** 2 * settings.get("ngf", 1) * settings.get("n_blocks", 1) for settings in steps]
    assert pixels == sorted(pixels, reverse=True)


def test_what_was_given_is_left_alone_and_so_is_the_rest_of_its_group():
    for given in ("generator", "generator_settings", "ngf", "n_blocks"):
        for settings in ladder("cpu", [given], True, RECIPE, 2):
            assert set(settings) <= {"patch_size", "batch_size"}
    for given in ("patch_size", "batch_size"):
        for settings in ladder("cpu", [given], True, {}, 2):
            assert settings["generator"] == "bilateral" and not set(settings) & {"patch_size", "batch_size"}
    assert all("stack" not in settings for settings in ladder("cpu", ["stack"], True, {}, 2))
    assert all("randomise" not in settings for settings in ladder("gpu", ["randomise"], True, RECIPE, 2))
    assert ladder("cpu", ["ngf", "patch_size"], True, RECIPE, 2) == [{}]
    assert ladder("gpu", ["ngf", "patch_size", "workers"], True, RECIPE, 2) == [{}]
    assert ladder("article", [], True, RECIPE, 2) == [{}]


def test_a_gpu_gets_processes_that_prepare_images():
    assert ladder("gpu", [], True, {}, 16)[0]["workers"] == 8 and ladder("gpu", [], True, {}, 1)[0]["workers"] == 0
    assert "workers" not in ladder("cpu", [], True, {}, 16)[0]


def test_the_number_of_images_is_that_of_the_budget_that_runs_out_first():
    assert images_within(10, None, 4, 0.1) == pytest.approx(6000)
    assert images_within(None, 50, 4, None) == 200
    assert images_within(10, 50, 4, 0.1) == 200
    assert images_within(1, 5000, 4, 0.1) == pytest.approx(600)
    assert images_within(10, None, 4, None) is None


@pytest.mark.parametrize(("count", "text"), [(31234, "31,000"), (0.4, "0"), (7.6, "8"), (99, "99"), (995, "1,000")])
def test_numbers_are_said_with_two_digits(count, text):
    assert rounded(count) == text


def test_too_few_images_are_a_sentence_with_a_number_and_advice():
    text = too_few_sentence(31.0, 20_000, "--max-minutes 60", ["--patch-size 128"])
    assert "about 31 images" in text and "20,000" in text and text.endswith("--max-minutes 60 or --patch-size 128.")
    assert "1 image," in too_few_limit(1, 20_000) and "19,999 images" in too_few_limit(19_999, 20_000)


def test_without_a_word_a_configuration_has_no_preset_and_a_preset_decides_nothing_by_itself():
    config = load_config(None, BASE)
    assert config.preset == "none" and set(KINDS) == {"auto", "cpu", "gpu", "article", "none"}
    assert load_config(None, BASE | {"preset": "cpu"}).digest() == config.digest()
    assert "preset" in TrainingConfig.model_fields
