"""Accounts without a home, or with one that nothing can be written to."""

import tempfile
from pathlib import Path

import pytest
from tiny_models import make_tiny_model

from surgical_style_engine.backends import autotune
from surgical_style_engine.common.home import own_folder
from surgical_style_engine.models import names
from surgical_style_engine.models.folder import load_model


@pytest.fixture(params=["none", "unwritable"])
def home(request, monkeypatch, tmp_path):
    """Path.home of a service's account, and of one whose home is no folder that anything can be made in."""
    (tmp_path / "home").write_text("a file, so that no folder can be made in it")

    def none():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", none if request.param == "none" else lambda: tmp_path / "home")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "home"))
    monkeypatch.delenv("SST_MODELS", raising=False)
    return request.param


def test_the_folder_is_that_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert own_folder() == tmp_path / ".surgical_style_transfer"
    assert autotune.memory_file() == tmp_path / ".surgical_style_transfer" / "measured.json"


def test_models_are_listed_and_measured_without_a_place_to_remember(home, tmp_path, monkeypatch):
    assert own_folder().name == ".surgical_style_transfer"
    monkeypatch.setattr(names, "shipped_models_folder", lambda: tmp_path / "no models")
    monkeypatch.delenv("SST_PROBE", raising=False)
    assert names.list_models() == []
    model = load_model(make_tiny_model(tmp_path / "models", "tiny"))
    measured = autotune.measure(model, "forward")
    assert measured and all(entry.seconds > 0 for entry in measured) and not own_folder().exists()
