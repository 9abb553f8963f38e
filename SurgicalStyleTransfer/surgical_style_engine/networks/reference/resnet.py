"""ResNet generators whose weights have the names and arithmetic of the reference CycleGAN, pix2pix and CUT code."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.networks.fast.block_convolution import BlockConv2d
from surgical_style_engine.networks.fast.winograd import WinogradConv2d
from surgical_style_engine.networks.initialise import initialise
from surgical_style_engine.networks.padding import ReflectionPad2d, pad

from .normalise import Norm, has_bias, norm_layer


class ReferenceResnetGenerator(nn.Module):
    """ResNet generator (Johnson et al. 2016) of the reference code, whose weights are named ``model.N...``.

    That is junyanz/pytorch-CycleGAN-and-pix2pix and taesungp/contrastive-unpaired-translation.

    (n, in_channels, h, w) in [-1, 1] -> (n, out_channels, h, w) in [-1, 1]; h and w multiples of 4, at least 8.

    antialias, antialias_up: blurred down- and up-sampling, CUT's default. dropout: trained with dropout in the
    residual blocks; it only moves the names, since evaluation drops nothing.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        ngf: int = 64,
        n_blocks: int = 9,
        norm: Norm = "instance",
        antialias: bool = False,
        antialias_up: bool = False,
        dropout: bool = False,
    ) -> None:
        super().__init__()
        bias = has_bias(norm)
        layers: list[nn.Module] = [ReflectionPad2d(3), nn.Conv2d(in_channels, ngf, 7, bias=bias)]
        layers += [norm_layer(norm, ngf), nn.ReLU(inplace=True)]
        for channels in (ngf, ngf * 2):
            stride = 1 if antialias else 2
            layers += [nn.Conv2d(channels, channels * 2, 3, stride=stride, padding=1, bias=bias)]
            layers += [norm_layer(norm, channels * 2), nn.ReLU(inplace=True)]
            if antialias:
                layers.append(BlurDown(channels * 2))
        layers += [_ResidualBlock(ngf * 4, norm, dropout) for _ in range(n_blocks)]
        for channels in (ngf * 4, ngf * 2):
            half = channels // 2
            if antialias_up:
                layers += [BlurUp(channels), nn.Conv2d(channels, half, 3, padding=1, bias=bias)]
            else:
                layers.append(nn.ConvTranspose2d(channels, half, 3, stride=2, padding=1, output_padding=1, bias=bias))
            layers += [norm_layer(norm, half), nn.ReLU(inplace=True)]
        layers += [ReflectionPad2d(3), BlockConv2d(ngf, out_channels, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int, norm: Norm, dropout: bool) -> None:
        super().__init__()

        def half() -> list[nn.Module]:
            convolution = WinogradConv2d(channels, channels, bias=has_bias(norm))
            return [ReflectionPad2d(1), convolution, norm_layer(norm, channels)]

        between = [nn.ReLU(inplace=True), nn.Dropout(0.5)] if dropout else [nn.ReLU(inplace=True)]
        self.conv_block = nn.Sequential(*half(), *between, *half())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_block(x)


class BlurDown(nn.Module):
    """Binomial [1 2 1] blur and stride 2 (Zhang, ICML 2019); (n, c, h, w) -> (n, c, h/2, w/2).

    Attributes:
        filt: the kernel, which the reference stores among the weights.
    """

    filt: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", _binomial([1.0, 2.0, 1.0], channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        padded = pad(x, (1, 1, 1, 1), "reflect")
        return F.conv2d(padded, self.filt.to(x.dtype), stride=2, groups=x.shape[1])


class BlurUp(nn.Module):
    """Doubling with the binomial kernel [1 3 3 1]; (n, c, h, w) -> (n, c, 2h, 2w).

    That kernel is bilinear interpolation, which runs faster than the reference's transposed convolution and gives the
    same. ``filt`` only keeps the place among the weights.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", _binomial([1.0, 3.0, 3.0, 1.0], channels) * 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _binomial(row: list[float], channels: int) -> torch.Tensor:
    """(channels, 1, k, k), each kernel summing to one."""
    one = torch.tensor(row)
    kernel = torch.outer(one, one) / one.sum() ** 2
    return kernel.expand(channels, 1, -1, -1).contiguous()
