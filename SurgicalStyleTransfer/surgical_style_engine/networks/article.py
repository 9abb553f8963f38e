"""The generator and the discriminator of the survey article, in working order."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .initialise import initialise


class ArticleGenerator(nn.Module):
    """The article's generator: 7x7 stem, residual blocks, two transposed convolutions, tanh.

    (n, in_channels, h, w) in [-1, 1] -> (n, out_channels, h, w) in [-1, 1]; h and w multiples of 4.

    Mended, since the listing cannot run or cannot work:

    - It doubles the size twice and never halves it, so that its output is four times the input's size: two
      convolutions of stride 2 stand before the residual blocks, as in every CycleGAN. They keep ``ngf`` channels, so
      that the blocks and what follows are as listed.
    - Its methods stand outside their classes and ``prelu`` is used but never made: every place has a PReLU of its own.
    - One generator served both directions, so that there was no cycle: ``sst train`` makes two, and two discriminators.
    - The identity term compared a translation with its own input: ``sst train`` compares G(y) with y.
    - Weights were saved without saying for which data, colours read in one order and written in another, and a training
      image's folder needed class subfolders: model folders and the volume pipeline take the place of all that.
    """

    def __init__(self, in_channels: int = 1, out_channels: int = 1, ngf: int = 64, n_blocks: int = 4) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(in_channels, ngf, 7),
            nn.InstanceNorm2d(ngf),
            nn.PReLU(),
        ]
        for _ in range(2):
            layers += [nn.Conv2d(ngf, ngf, 3, stride=2, padding=1), nn.BatchNorm2d(ngf), nn.PReLU()]
        layers += [_ResidualBlock(ngf) for _ in range(n_blocks)]
        half = max(1, ngf // 2)
        layers += [
            nn.ConvTranspose2d(ngf, half, 3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(half),
            nn.PReLU(),
            nn.ConvTranspose2d(half, out_channels, 3, stride=2, padding=1, output_padding=1),
            nn.Tanh(),
        ]
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class ArticleDiscriminator(nn.Module):
    """The article's discriminator: four convolutions of stride 2, then a linear layer on a 4x4 map.

    (n, in_channels, h, w) -> raw scores (n, 1); h and w at least 16.

    Mended:

    - ``ndf`` was undefined in ``forward``.
    - The linear layer fitted 64x64 images only, while the article's have 256x256: the map is averaged to 4x4 first.
    - The final sigmoid is left to the loss (binary cross-entropy on raw scores is the same and does not overflow), and
      the labels get the scores' shape (n, 1) instead of (n,).
    """

    def __init__(self, in_channels: int = 1, ndf: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(in_channels, ndf, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for channels in (ndf, ndf * 2, ndf * 4):
            layers += [
                nn.Conv2d(channels, channels * 2, 4, stride=2, padding=1),
                nn.BatchNorm2d(channels * 2),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(ndf * 8 * 4 * 4, 1)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = F.adaptive_avg_pool2d(self.layers(x), 4)
        return self.score(pooled.flatten(1))


class _ResidualBlock(nn.Module):
    """x + (conv 3x3, batch norm, PReLU, conv 3x3, batch norm); (n, c, h, w) -> same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)
