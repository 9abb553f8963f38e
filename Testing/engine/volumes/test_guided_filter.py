"""The guided filter follows the guide's edges, and costs little on a coarse grid."""

import numpy as np

from surgical_style_engine.volumes import guided_filter as guided_filter_module
from surgical_style_engine.volumes.filters import gaussian
from surgical_style_engine.volumes.guided_filter import guided_filter

SPACING = (2.0, 1.0, 1.0)
SHAPE = (20, 40, 40)


def texture(seed, sigma=2.0, amplitude=0.2):
    noise = gaussian(np.random.default_rng(seed).standard_normal(SHAPE, dtype=np.float32), sigma, SPACING)
    return (amplitude * noise / noise.std()).astype(np.float32)


def test_the_guided_filter_follows_edges_of_the_guide_and_smooths_elsewhere():
    rng = np.random.default_rng(3)
    step = (np.arange(SHAPE[2]) >= 20).astype(np.float32)
    noisy = (step + rng.normal(0, 0.2, SHAPE)).astype(np.float32)
    guide = np.broadcast_to(step, SHAPE).astype(np.float32)
    found = guided_filter(noisy, guide, 8.0, 1e-3, SPACING)
    assert found[:, :, 18:20].mean() < 0.1 and found[:, :, 20:22].mean() > 0.9, "the edge stays sharp"
    assert found[:, :, :18].std() < 0.05
    flat = guided_filter(noisy, np.full(SHAPE, 0.5, np.float32), 8.0, 1e-3, SPACING)
    assert 0.2 < flat[:, :, 18:20].mean() < 0.8, "without an edge in the guide it is a mean"


def test_the_subsampled_guided_filter_is_close_to_the_full_one(monkeypatch):
    owner, guide = (texture(1) > 0).astype(np.float32), np.clip(0.5 + texture(2), 0, 1)
    monkeypatch.setattr(guided_filter_module, "SUBSAMPLING", 4.0)
    fast = guided_filter(owner, guide, 8.0, 0.3, SPACING)
    monkeypatch.setattr(guided_filter_module, "SUBSAMPLING", 1000.0)
    full = guided_filter(owner, guide, 8.0, 0.3, SPACING)
    assert 0 < np.abs(fast - full).max() < 0.05
    assert full.std() > 5 * (fast - full).std()
