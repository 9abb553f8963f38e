from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from surgical_style_engine.errors import InputError
from training_cli.training.config import load_config


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
    with pytest.raises(InputError, match="cannot be read"):
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
