"""Volumes for the use cases, and networks that are functions."""

import numpy as np
import pytest
from fakes import Fake
from tiny_models import oblique_head

from surgical_style_engine.backends import select as backends
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture(scope="session")
def head_volume():
    """``head_volume(seed)`` -> a Volume of 10 slices, 8 of them with something in them."""
    return oblique_head


@pytest.fixture
def networks(monkeypatch):
    """Both directions by functions of a batch; inversion unless a test says otherwise."""
    ways = {"forward": np.negative, "backward": np.negative}
    monkeypatch.setattr(backends, "make_runner", lambda model, way, *_: Fake(ways[way]))
    return ways


@pytest.fixture
def volume():
    """A textured ball of 40 voxels in air, oblique axes in an odd order, 0.8 x 1 x 2.5 mm."""
    z, y, x = np.meshgrid(np.arange(16) - 8, np.arange(48) - 24, np.arange(56) - 28, indexing="ij")
    rng = np.random.default_rng(0)
    texture = np.kron(rng.uniform(200, 900, (4, 12, 14)), np.ones((4, 4, 4)))
    array = np.where((z / 7) ** 2 + (y / 18) ** 2 + (x / 21) ** 2 <= 1, texture, 0).astype(np.float32)
    direction = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    return Volume(array[None], (0.8, 1.0, 2.5), (5.0, 6.0, 7.0), direction)
