"""Hostile model folders, archives and weights end as bad input: no code runs, nothing is written, no time is lost."""

from __future__ import annotations

import os
import shutil
import sys
import time
from itertools import chain
from pathlib import Path

import pytest
from reliability.generated.sentences import is_sentence
from reliability.hostile_models import folders, imports
from tiny_models import make_tiny_model

from surgical_style_engine.app.import_model import ImportDetails, import_model
from surgical_style_engine.errors import InputError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes, devices and limits of Linux")
pytest.importorskip("onnxruntime")

CASES = dict(chain(folders.cases(), imports.cases()))
MOST_SECONDS = 10  # of processor time
DETAILS = ImportDetails(name="x", source_name="A", target_name="B")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("whole"))


def refusal(source: Path, models: Path) -> str:
    """The sentence with which an import is refused."""
    given = DETAILS if source.suffix in (".pth", ".onnx", ".png") else ImportDetails()
    with pytest.raises(InputError) as caught:
        import_model(source, models, given)
    return str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_model(whole, tmp_path, monkeypatch, name):
    folder = tmp_path / "given" / "tiny"
    shutil.copytree(whole, folder)
    source = CASES[name](folder)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    begun = time.process_time()
    sentence = refusal(source, tmp_path / "models")
    assert time.process_time() - begun < MOST_SECONDS
    assert is_sentence(sentence), sentence
    assert not os.listdir(tmp_path / "here"), "something ran"
    assert not (tmp_path / "models").exists() or not os.listdir(tmp_path / "models")


def test_there_are_many():
    assert len(CASES) >= 150
