from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from surgical_style_engine.errors import InputError
from training_cli.training.config import TrainingConfig, load_config
from training_cli.training.config.method_settings import CUTSettings, CycleGANSettings, PerceptualSettings
from training_cli.training.config.options import setting_options


def write(path: Path, **settings) -> Path:
    path.write_text(yaml.safe_dump(settings))
    return path


def test_file_and_command_line_are_merged_and_paths_are_relative_to_the_file(tmp_path):
    path = write(tmp_path / "c.yaml", source="a", target="b", output="run", max_steps=5, ngf=8)
    config = load_config(path, {"ngf": 16, "ndf": None})
    assert (config.ngf, config.ndf, config.max_steps) == (16, 64, 5)
    assert config.source == tmp_path / "a"


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"max_steps": 1, "colour": 3}, "colour"),
        ({"max_steps": 0}, "max_steps"),
        ({}, "budget"),
        ({"max_steps": 1, "stack": 2}, "odd"),
        ({"max_steps": 1, "method": "gradient"}, "method"),
        ({"max_steps": 1, "learning_rate": -1}, "learning_rate"),
        ({"max_steps": 1, "trackers": ["wandb"]}, "wandb"),
        ({"max_steps": 1, "pairs_warmup": 0.5}, "pairs"),
        ({"max_steps": 1, "name": "../up"}, "name"),
    ],
)
def test_wrong_settings_are_one_sentence(tmp_path, settings, word):
    path = write(tmp_path / "c.yaml", source="a", target="b", output="run", **settings)
    with pytest.raises(InputError) as caught:
        load_config(path, {})
    assert word in str(caught.value) and "\n" not in str(caught.value)


def test_missing_unreadable_and_non_table_files(tmp_path):
    with pytest.raises(InputError, match="none.yaml does not exist"):
        load_config(tmp_path / "none.yaml", {})
    (tmp_path / "broken.yaml").write_text("a: [1,")
    with pytest.raises(InputError, match="not valid YAML"):
        load_config(tmp_path / "broken.yaml", {})
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(InputError, match="not a table"):
        load_config(tmp_path / "list.yaml", {})
    with pytest.raises(InputError, match="'source' is missing"):
        load_config(None, {"max_steps": 1})


def test_digest_follows_what_is_computed_and_nothing_else(tmp_path):
    base = load_config(None, {"source": "a", "target": "b", "output": "r", "max_steps": 1})
    same = load_config(None, {"source": "x", "target": "b", "output": "r", "max_steps": 9, "sample_every": 1})
    other = load_config(None, {"source": "a", "target": "b", "output": "r", "max_steps": 1, "ngf": 8})
    assert base.digest() == same.digest() != other.digest()


BASE = {"source": "a", "target": "b", "output": "r", "max_steps": 1}


def test_settings_of_a_method_may_stand_in_its_section_or_beside_the_others(tmp_path):
    nested = load_config(write(tmp_path / "n.yaml", **BASE, method="cut", cut={"nce_patches": 16, "lambda_nce": 2}), {})
    flat = load_config(write(tmp_path / "f.yaml", **BASE, method="cut", nce_patches=16, lambda_nce=2), {})
    assert nested == flat and nested.section(CUTSettings).nce_patches == 16
    # What is given later wins, wherever it stands.
    assert load_config(tmp_path / "n.yaml", {"nce_patches": 32}).section(CUTSettings).nce_patches == 32
    assert flat.section(CycleGANSettings) == CycleGANSettings()


def test_what_is_written_is_flat_and_is_read_again():
    config = load_config(None, BASE | {"lambda_cycle": 7, "brush": 2, "nce_patches": 9, "generator_settings": "bins=8"})
    flat = config.model_dump(mode="json")
    assert (flat["lambda_cycle"], flat["brush"], flat["nce_patches"]) == (7, 2, 9) and "sections" not in flat
    assert TrainingConfig(**flat) == config


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"cut": {"nce_patches": 1}}, "'nce_patches' is wrong"),
        ({"nce_patches": 1}, "'nce_patches' is wrong"),
        ({"cut": {"colour": 1}}, "no setting 'colour'"),
        ({"cut": 3}, "cut is a table of settings"),
        ({"perceptual": {"features": "edges"}}, "'features' is wrong"),
        ({"generator_settings": "bins"}, "'bins' is not of the form name=value"),
        ({"generator_settings": {"bins": [1]}}, "generator_settings"),
    ],
)
def test_wrong_settings_of_a_section_are_one_sentence(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        load_config(None, BASE | settings)


def test_settings_can_still_be_changed_one_by_one():
    config = load_config(None, BASE | {"brush": 2})
    config.ngf = 12
    assert config.ngf == 12 and config.section(PerceptualSettings).brush == 2
    changed = config.model_copy(update={"max_steps": 6})
    assert changed.max_steps == 6 and changed.section(PerceptualSettings).brush == 2


def test_what_changed_since_a_checkpoint_is_named_and_newer_settings_are_no_change():
    config = load_config(None, BASE | {"ngf": 8, "lambda_cycle": 3})
    then = config.decisive()
    assert config.changed_since(then) == []
    assert "generator_settings" not in then  # so that digests of earlier versions stay what they were
    older = {key: value for key, value in then.items() if key not in ("nce_patches", "spectral_norm")}
    assert config.changed_since(older | {"ngf": 4, "gone": 1}) == ["ngf was 4 and is 8"]
    newer = load_config(None, BASE | {"ngf": 8, "lambda_cycle": 3, "generator_settings": "bins=8"})
    assert newer.changed_since(then) == ["generator_settings was {} and is {'bins': 8}"]


def test_every_setting_is_an_option_once_with_what_the_help_says():
    options = {parameter.name: parameter.annotation.__metadata__[0] for parameter in setting_options()}
    flat = load_config(None, BASE).model_dump()
    assert options.keys() == flat.keys()
    helps = {name: option.help for name, option in options.items()}
    assert helps["nce_patches"] == "cut, fastcut: places compared in each layer (default: 256)"
    assert "(cyclegan|cut|fastcut|paired|multi-domain|many-to-one|perceptual) (default: cyclegan)" in helps["method"]
    assert helps["trackers"].endswith("(default: csv,tensorboard)")
    assert not any("[" in text for text in helps.values()), "rich would not show it"


def test_settings_newer_than_a_model_leave_its_digest_alone_until_they_are_used():
    config = load_config(None, BASE)
    assert not config.decisive().keys() & {"lambda_ssim", "lambda_sharpness", "weight_decay", "randomise"}
    used = load_config(None, BASE | {"lambda_ssim": 0.3, "randomise": "mild"})
    assert used.digest() != config.digest()
    assert used.changed_since(config.decisive()) == ["lambda_ssim was 0.0 and is 0.3", "randomise was none and is mild"]
    # And back again.
    assert config.changed_since(used.decisive()) == ["lambda_ssim was 0.3 and is 0.0", "randomise was mild and is none"]
