"""A small style picture and a small volume to give its style to."""

from __future__ import annotations

import numpy as np
import torch
from tiny_models import head

from surgical_style_engine.volumes.volume import Volume

QUICK = {"steps": 12, "neighbour_steps": 4, "features": "random"}


def waves(height=48, width=64):
    """A picture (3, h, w) in [0, 1]: blue and yellow stripes that bend."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wave = 0.5 + 0.5 * np.sin(0.7 * x + 2 * np.sin(0.15 * y))
    return np.stack([wave, wave, 1 - wave]).astype(np.float32)


def tensor(array):
    return torch.from_numpy(np.ascontiguousarray(array))[None].float()


def brain(depth=4, size=40, seed=1):
    """Oblique, anisotropic, int16."""
    angle = 0.3
    direction = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, -1.0]])
    array = head(seed, (depth, size, size - 4))[None].astype(np.int16)
    return Volume(array, (1.1, 0.9, 3.0), (-20.0, 12.5, 7.25), direction)
