"""Upsampling by two and convolution in one layer, at less than half the arithmetic."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.networks.padding import pad

from .winograd import TiledConvolution, is_faster

LEAST_FORWARDS = 128  # input channels from which transformed tiles are faster where nothing is trained


class UpsamplingConv2d(nn.Conv2d):
    """Nearest-neighbour doubling, reflection padding by one, 3x3 convolution (Odena et al., Distill 2016).

    (n, in_channels, h, w) -> (n, out_channels, 2h, 2w). Doubled pixels come in equal pairs, so that the nine taps of an
    output pixel see only 2x2 different values. On the CPU they are added up first: a transposed convolution of stride
    2 with a 4x4 kernel gives the same up to rounding with 4/9 of the multiplications, and by transformed tiles
    (``winograd``), where they are faster, with 1/4 of them (Testing/benchmarks/NOTES.md).
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 3, bias=bias)
        self._tiled = TiledConvolution(2, _of_four)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Not measured on other devices; ONNX wants kernels that are constants.
        if x.device.type != "cpu" or torch.onnx.is_in_onnx_export():
            doubled = F.interpolate(x, scale_factor=2.0, mode="nearest")
            return super().forward(pad(doubled, (1, 1, 1, 1), "reflect"))
        # The reflection of a doubled image repeats its edge.
        padded = pad(x, (1, 1, 1, 1), "replicate")
        if self._by_tiles(padded):
            result = self._tiled(padded, self.weight)
            return result if self.bias is None else result + self.bias.view(1, -1, 1, 1)
        kernel = _pairs_added(_pairs_added(self.weight.float(), 2), 3).transpose(0, 1).to(self.weight.dtype)
        return F.conv_transpose2d(padded, kernel, self.bias, stride=2, padding=3)

    def _by_tiles(self, padded: torch.Tensor) -> bool:
        """Backwards they are two and a half times as fast; forwards alone, with many channels only."""
        if not torch.is_grad_enabled() and self.in_channels < LEAST_FORWARDS:
            return False
        return is_faster(padded, self.weight, 4 * self.out_channels)


def _of_four(weight: torch.Tensor) -> torch.Tensor:
    """(out, in, 3, 3) -> (4 * out, in, 3, 3).

    These are the kernels of the four pixels that come out for one, on that one's neighbours before doubling.
    """
    return _halves(_halves(weight, 2), 4).permute(2, 4, 0, 1, 3, 5).flatten(0, 2)


def _halves(kernel: torch.Tensor, axis: int) -> torch.Tensor:
    """Three taps along an axis of what is doubled -> (2, 3) in its place: for the first and second of two pixels."""
    first, middle, last = kernel.unbind(axis)
    none = torch.zeros_like(first)
    ways = [torch.stack(taps, axis) for taps in ((first, middle + last, none), (none, first + middle, last))]
    return torch.stack(ways, axis)


def _pairs_added(kernel: torch.Tensor, axis: int) -> torch.Tensor:
    """Three taps along an axis of what is doubled -> the four of the transposed convolution that does both."""
    first, middle, last = kernel.unbind(axis)
    return torch.stack([last, middle + last, first + middle, first], axis)
