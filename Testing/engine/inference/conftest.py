"""A small model for the modules around a network."""

import pytest
from tiny_models import make_tiny_model

from surgical_style_engine.models.folder import load_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A whole model folder with a small untrained network, at 2 mm."""
    return load_model(make_tiny_model(tmp_path_factory.mktemp("models")))
