"""Volumes for the use cases."""

import pytest
from tiny_models import oblique_head


@pytest.fixture(scope="session")
def head_volume():
    """``head_volume(seed)`` -> a Volume of 10 slices, 8 of them with something in them."""
    return oblique_head
