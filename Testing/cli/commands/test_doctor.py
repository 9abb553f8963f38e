"""`sst doctor`: what it finds, and what it says is wrong."""

import json

import pytest

from surgical_style_engine.models import names as model_names
from training_cli.commands import doctor


@pytest.fixture
def models(tmp_path, monkeypatch, tiny_model):
    """The user's models folder with one whole model; nothing shipped."""
    import shutil

    shutil.copytree(tiny_model, tmp_path / "tiny")
    monkeypatch.setenv("SST_MODELS", str(tmp_path))
    monkeypatch.setattr(model_names, "shipped_models_folder", lambda: tmp_path / "none")
    return tmp_path


def test_a_whole_machine(sst, models):
    ended = sst("doctor", "--json")
    assert ended.code == 0, ended
    found = json.loads(ended.out)
    assert found["devices"][-1]["name"] == "cpu" and found["devices"][-1]["total_bytes"] > 2**28
    assert found["packages"]["torch"] and found["packages"]["SimpleITK"] and found["problems"] == []
    assert [model["name"] for model in found["models"]] == ["tiny"]
    assert found["auto_device"] in {device["name"] for device in found["devices"]}
    text = sst("doctor").out
    assert "Device cpu" in text and "tiny" in text


def test_damaged_weights_are_named(sst, models):
    weights = models / "tiny" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    ended = sst("doctor")
    assert ended.code == 1 and "damaged" in ended.out


def test_missing_packages_and_models_are_problems(monkeypatch, sst, tmp_path, models):
    monkeypatch.setenv("SST_MODELS", str(tmp_path / "empty"))
    known = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in ("monai", "openvino") else known(name))
    ended = sst("doctor", "--json")
    found = json.loads(ended.out)
    assert ended.code == 1
    assert any("monai is missing" in problem for problem in found["problems"])
    assert any("no model" in problem for problem in found["problems"])
