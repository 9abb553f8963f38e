"""Building blocks of the default generator."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.networks.fast.upsampling import UpsamplingConv2d
from surgical_style_engine.networks.fast.winograd import WinogradConv2d

from .instance_norm import InstanceNorm2d
from .padding import ReflectionPad2d, pad


class ResidualBlock(nn.Module):
    """x + (conv 3x3, norm, ReLU, conv 3x3, norm), reflection padded; (n, c, h, w) -> same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ReflectionPad2d(1),
            WinogradConv2d(channels, channels, bias=False),
            InstanceNorm2d(channels),
            nn.ReLU(inplace=True),
            ReflectionPad2d(1),
            WinogradConv2d(channels, channels, bias=False),
            InstanceNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class BlurDownConv(nn.Module):
    """Binomial [1 2 1] blur, then a 3x3 convolution with stride 2: down-sampling without aliasing (Zhang, ICML 2019).

    (n, c, h, w) -> (n, out, h/2, w/2). Blurring before the strided convolution gives what blurring its full-size output
    would, since both are linear, at a quarter of the cost. The kernel is a constant, not stored in the weights.
    """

    kernel: torch.Tensor

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        # Written out: computed under the device "meta", where models are looked at first, it imports a compiler.
        kernel = torch.tensor([[1 / 16, 1 / 8, 1 / 16], [1 / 8, 1 / 4, 1 / 8], [1 / 16, 1 / 8, 1 / 16]])
        self.register_buffer("kernel", kernel.expand(in_channels, 1, 3, 3).contiguous(), persistent=False)
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride=2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        padded = pad(x, (2, 2, 2, 2), "reflect")
        blurred = F.conv2d(padded, self.kernel.to(x.dtype), groups=x.shape[1])
        return self.conv(blurred)


def up_block(in_channels: int, out_channels: int) -> list[nn.Module]:
    """Nearest-neighbour doubling and convolution, norm, ReLU.

    The first two layers keep the places that doubling and padding had among the names of the weights.
    """
    return [
        nn.Identity(),
        nn.Identity(),
        UpsamplingConv2d(in_channels, out_channels, bias=False),
        InstanceNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]
