"""The default generator: CycleGAN's ResNet with blurred down-sampling and resize + convolution."""

from __future__ import annotations

import torch
from torch import nn

from surgical_style_engine.networks.fast.block_convolution import BlockConv2d

from .blocks import BlurDownConv, ResidualBlock, up_block
from .initialise import initialise
from .instance_norm import InstanceNorm2d
from .padding import ReflectionPad2d


class ResnetGenerator(nn.Module):
    """ResNet generator (Johnson et al. 2016, Zhu et al. 2017) without transposed convolutions or aliasing strides.

    (n, in_channels, h, w) in [-1, 1] -> (n, out_channels, h, w) in [-1, 1]; h and w multiples of 4. A 2.5-D model takes
    a stack of neighbouring slices as channels and gives the same stack translated, so that a cycle closes.
    """

    def __init__(self, in_channels: int = 1, out_channels: int = 1, ngf: int = 64, n_blocks: int = 9) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            ReflectionPad2d(3),
            nn.Conv2d(in_channels, ngf, 7, bias=False),
            InstanceNorm2d(ngf),
            nn.ReLU(inplace=True),
        ]
        for channels in (ngf, ngf * 2):
            layers += [
                BlurDownConv(channels, channels * 2),
                InstanceNorm2d(channels * 2),
                nn.ReLU(inplace=True),
            ]
        layers += [ResidualBlock(ngf * 4) for _ in range(n_blocks)]
        layers += [*up_block(ngf * 4, ngf * 2), *up_block(ngf * 2, ngf)]
        layers += [ReflectionPad2d(3), BlockConv2d(ngf, out_channels, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)
