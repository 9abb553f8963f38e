"""PatchGAN discriminator (Isola et al. 2017): scores overlapping patches, 70x70 with three layers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm as normalise_spectrum

from .initialise import initialise
from .instance_norm import InstanceNorm2d


class PatchDiscriminator(nn.Module):
    """(n, in_channels, h, w) -> raw scores (n, 1, about h/8, about w/8). Keys as in the reference code: ``model.N``."""

    def __init__(self, in_channels: int = 1, ndf: int = 64, n_layers: int = 3, spectral_norm: bool = False) -> None:
        super().__init__()

        def conv(inputs: int, outputs: int, stride: int, bias: bool) -> nn.Module:
            return nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=bias)

        layers: list[nn.Module] = [conv(in_channels, ndf, 2, True), nn.LeakyReLU(0.2, inplace=True)]
        channels = ndf
        for number in range(1, n_layers + 1):
            wider = ndf * min(2**number, 8)
            layers += [
                conv(channels, wider, 2 if number < n_layers else 1, True),
                InstanceNorm2d(wider),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            channels = wider
        layers.append(conv(channels, 1, 1, True))
        self.model = nn.Sequential(*layers)
        initialise(self)
        if spectral_norm:
            _normalise(self.model)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class ClassifyingPatchDiscriminator(PatchDiscriminator):
    """Scores as of ``PatchDiscriminator``, and behind them ``classes`` channels: logits of the image's domain.

    One network for both, as in StarGAN (Choi et al., CVPR 2018); the logits of an image are the mean of its patches'.
    """

    def __init__(
        self,
        in_channels: int = 1,
        ndf: int = 64,
        n_layers: int = 3,
        spectral_norm: bool = False,
        classes: int = 2,
    ) -> None:
        super().__init__(in_channels, ndf, n_layers)
        last = self.model[-1]
        assert isinstance(last, nn.Conv2d)
        self.model[-1] = nn.Conv2d(last.in_channels, 1 + classes, 4, padding=1)
        initialise(self)
        if spectral_norm:
            _normalise(self.model)


def _normalise(layers: nn.Sequential) -> None:
    for module in layers:
        if isinstance(module, nn.Conv2d):
            normalise_spectrum(module)
