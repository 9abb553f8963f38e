"""Hostile model folders, archives and weights end as bad input: no code runs, nothing is written, no time is lost."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tiny_models import make_tiny_model

pytest.importorskip("onnxruntime")
from reliability.models_batch import CASES, take_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes, devices and limits of Linux")
MOST_SECONDS = 10  # of processor time


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_model(whole, tmp_path, name):
    ending = take_in(name, whole, tmp_path)
    assert ending.outcome == "refused", ending
    assert not ending.left and ending.seconds < MOST_SECONDS, ending


def test_there_are_many():
    assert len(CASES) >= 150
