"""Doubling and convolution in one layer, at less than half the arithmetic."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .padding import pad


class DoublingConv2d(nn.Conv2d):
    """Nearest-neighbour doubling, reflection padding by one, 3x3 convolution (Odena et al., Distill 2016).

    (n, in_channels, h, w) -> (n, out_channels, 2h, 2w). Doubled pixels come in equal pairs, so that the nine taps of an
    output pixel see only 2x2 different values. On the CPU they are added up first: a transposed convolution of stride
    2 with a 4x4 kernel gives the same up to rounding with 4/9 of the multiplications (Testing/benchmarks/NOTES.md).
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 3, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Not measured on other devices; ONNX wants kernels that are constants.
        if x.device.type != "cpu" or torch.onnx.is_in_onnx_export():
            doubled = F.interpolate(x, scale_factor=2.0, mode="nearest")
            return super().forward(pad(doubled, (1, 1, 1, 1), "reflect"))
        # The reflection of a doubled image repeats its edge.
        padded = pad(x, (1, 1, 1, 1), "replicate")
        kernel = _pairs_added(_pairs_added(self.weight.float(), 2), 3).transpose(0, 1).to(self.weight.dtype)
        return F.conv_transpose2d(padded, kernel, self.bias, stride=2, padding=3)


def _pairs_added(kernel: torch.Tensor, axis: int) -> torch.Tensor:
    """Three taps along an axis of what is doubled -> the four of the transposed convolution that does both."""
    first, middle, last = kernel.unbind(axis)
    return torch.stack([last, middle + last, first + middle, first], axis)
