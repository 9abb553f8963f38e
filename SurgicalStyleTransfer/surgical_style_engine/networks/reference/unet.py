"""The U-Net generator in the layout of the reference code (pix2pix), so that published weights load.

Reference: pytorch-CycleGAN-and-pix2pix by Jun-Yan Zhu and Taesung Park (``UnetGenerator``); Isola et al., CVPR 2017.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks.initialise import initialise

from .normalise import Norm, has_bias, norm_layer


class ReferenceUnetLevel(nn.Module):
    """One level: halve, the level below, double, and the input beside the result. Keys ``model.N``.

    (n, c, h, w) -> (n, 2c, h, w); the outermost level returns (n, out, h, w) in [-1, 1] without its input.
    """

    def __init__(
        self,
        outer: int,
        inner: int,
        below: nn.Module | None,
        norm: Norm,
        dropout: bool = False,
        in_channels: int | None = None,
    ) -> None:
        super().__init__()
        bias = has_bias(norm)
        self.outermost = in_channels is not None
        down = nn.Conv2d(in_channels or outer, inner, 4, stride=2, padding=1, bias=bias)
        # The level below returns its input too, so twice its channels come back from it.
        returned = inner if below is None else inner * 2
        up = nn.ConvTranspose2d(returned, outer, 4, stride=2, padding=1, bias=bias or self.outermost)
        if below is None:
            layers: list[nn.Module] = [nn.LeakyReLU(0.2), down, nn.ReLU(), up, norm_layer(norm, outer)]
        elif self.outermost:
            layers = [down, below, nn.ReLU(), up, nn.Tanh()]
        else:
            layers = [nn.LeakyReLU(0.2), down, norm_layer(norm, inner), below, nn.ReLU(), up, norm_layer(norm, outer)]
            if dropout:
                layers.append(nn.Dropout(0.5))
        self.model = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # The reference's leaky ReLU works in place and so changes the x that is joined here; the ReLU that follows
        # every join makes both the same.
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class ReferenceUnetGenerator(nn.Module):
    """(n, in_channels, h, w) in [-1, 1] -> (n, out_channels, h, w) in [-1, 1]. Keys ``model.model.N``.

    num_downs: halvings, 7 in the reference's "unet_128", 8 in "unet_256". norm: see ``norm_layer``. dropout: half the
    activations of the deep levels, in training only.

    The reference takes multiples of ``2**num_downs`` only. Other sizes are padded here by repeating the far edges, and
    cropped; multiples compute as in the reference.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        ngf: int = 64,
        num_downs: int = 8,
        norm: Norm = "batch",
        dropout: bool = False,
    ) -> None:
        super().__init__()
        if not 5 <= num_downs <= 10:
            raise InputError(f"The U-Net has 5 to 10 halvings, not {num_downs}.")
        level = ReferenceUnetLevel(ngf * 8, ngf * 8, None, norm)
        for _ in range(num_downs - 5):
            level = ReferenceUnetLevel(ngf * 8, ngf * 8, level, norm, dropout)
        for outer in (ngf * 4, ngf * 2, ngf):
            level = ReferenceUnetLevel(outer, outer * 2, level, norm)
        self.model = ReferenceUnetLevel(out_channels, ngf, level, norm, in_channels=in_channels)
        self.multiple = 2**num_downs
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, w = x.shape[-2:]
        # Always padded, by 0 where it fits: exporters that trace would freeze a decision.
        padded = F.pad(x, (0, -w % self.multiple, 0, -h % self.multiple), mode="replicate")
        return self.model(padded)[..., :h, :w]
