"""Pictures for networks, and how far apart two backends may be."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from tiny_models import head

from surgical_style_engine.volumes.normalization import RobustPercentile

# Root mean square of the difference from torch's fp32, in normalised units (the range is 2).
FP32_BOUND = 1e-4
BF16_BOUND = 0.03
# Found without importing it: the backend itself imports it without its usage statistics.
needs_openvino = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")
SETTINGS = [("torch", "fp32"), ("torch", "bf16"), ("openvino", "fp32"), ("openvino", "bf16")]


def pictures(count: int, h: int, w: int, channels: int = 1) -> np.ndarray:
    """(count, channels, h, w) float32 in [-1, 1]: slices of a noisy head."""
    volume = head(3, (count * channels + 4, h, w))
    volume = np.abs(volume + np.random.default_rng(0).normal(0, 8, volume.shape)).astype(np.float32)
    normal = RobustPercentile().fit(volume).forward(volume)[2 : 2 + count * channels]
    return np.ascontiguousarray(normal.reshape(count, channels, h, w))


def rms(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


def lively(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights as large as those of trained networks; fresh ones draw next to nothing."""
    torch.manual_seed(2)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return network.state_dict()
