"""A convolution to very few channels that fills the processor's vectors."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.networks.resnet_layout import block_side


class BlockConv2d(nn.Conv2d):
    """``torch.nn.Conv2d`` of stride 1 without padding, for one to four output channels.

    (n, in_channels, h, w) -> (n, out_channels, h - k + 1, w - k + 1). With so few channels most lanes of the vector
    units would compute nothing. On the CPU the pixels of a small block become channels of one convolution with a larger
    kernel, which moves on by blocks: the same sums, several times faster (Testing/benchmarks/NOTES.md).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size)
        self.block = block_side(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        block, size = self.block, self.kernel_size[0]
        whole = all((length - size + 1) % block == 0 for length in x.shape[-2:])
        # Not measured on other devices; ONNX wants kernels that are constants.
        if block == 1 or not whole or x.device.type != "cpu" or torch.onnx.is_in_onnx_export():
            return super().forward(x)
        # The kernel of each pixel of a block: the same one, moved to that pixel.
        moved = [
            F.pad(self.weight, (right, block - 1 - right, down, block - 1 - down))
            for down in range(block)
            for right in range(block)
        ]
        kernel = torch.stack(moved, 1).flatten(0, 1)
        bias = None if self.bias is None else self.bias.repeat_interleave(block**2)
        return F.pixel_shuffle(F.conv2d(x, kernel, bias, stride=block), block)
