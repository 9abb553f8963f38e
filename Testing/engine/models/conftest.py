"""A good model folder, and a copy of it to be spoilt."""

import shutil

import pytest
from tiny_models import make_tiny_model


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A good model folder, for reading only."""
    return make_tiny_model(tmp_path_factory.mktemp("good"))


@pytest.fixture
def folder(good, tmp_path):
    """A copy of it, to be spoilt."""
    shutil.copytree(good, tmp_path / "tiny")
    return tmp_path / "tiny"
