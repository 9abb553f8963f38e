"""A 3x3 convolution with a quarter of the multiplications, where a processor computes in fp32."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from surgical_style_engine.networks.tracing import is_traced

TILE = 4  # output pixels a side
WINDOW = TILE + 2  # input pixels that they come from
LEAST_CHANNELS = 64  # below, turning tiles over costs what the multiplications save
LEAST_TILES = 36

# Lavin & Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, F(4x4, 3x3): for one row of an image d and
# a kernel g, INVERSE @ ((KERNEL @ g) * (IMAGE @ d)) are the four sums of products.
_IMAGE = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_KERNEL = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
_INVERSE = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]


class WinogradConv2d(nn.Conv2d):
    """``torch.nn.Conv2d`` with a 3x3 kernel, stride 1, without padding.

    (n, in_channels, h, w) -> (n, out_channels, h - 2, w - 2). On the CPU, in fp32, tiles of 6x6 pixels and the kernel
    are transformed so that 16 pixels take 36 products instead of 144 (Lavin & Gray, CVPR 2016): the same up to
    rounding, about twice as fast (Testing/benchmarks/NOTES.md). In reduced precision the transforms would round away
    too much; there, on other devices and for few channels or pixels it is torch's own.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 3, bias=bias)
        self._tiled = TiledConvolution()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not is_faster(x, self.weight, self.out_channels):
            return super().forward(x)
        result = self._tiled(x, self.weight)
        return result if self.bias is None else result + self.bias.view(1, -1, 1, 1)


def is_faster(x: torch.Tensor, weight: torch.Tensor, outputs: int) -> bool:
    """Whether transformed tiles suit these images (n, c, h, w) and weights, for so many output channels."""
    # Traced networks (OpenVINO, ONNX) have convolutions of their own.
    if x.device.type != "cpu" or is_traced() or torch.onnx.is_in_onnx_export() or x.dim() != 4:
        return False
    if x.dtype != torch.float32 or weight.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return False
    down, right = _tiles(x)
    return min(x.shape[1], outputs) >= LEAST_CHANNELS and len(x) * down * right >= LEAST_TILES


class TiledConvolution:
    """The convolution without padding or bias, of images and weights that ``is_faster`` allows.

    side: pixels a side that come out for every pixel, for layers that enlarge: kernels (side^2 * out, in, 3, 3), those
    of one output pixel together, give (n, out, side (h - 2), side (w - 2)). ``kernels``: from a layer's weights to
    these; the weights' own where there is none.
    """

    def __init__(self, side: int = 1, kernels: Callable[[torch.Tensor], torch.Tensor] | None = None) -> None:
        self._side, self._kernels = side, kernels
        self._known: tuple[tuple, torch.Tensor] | None = None  # of which weights, and their transform

    def __call__(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            return _Winograd.apply(x, self._of(weight), self._side)
        return _convolved(x, self._remembered(weight), self._side)

    def _of(self, weight: torch.Tensor) -> torch.Tensor:
        return weight if self._kernels is None else self._kernels(weight)

    def _remembered(self, weight: torch.Tensor) -> torch.Tensor:
        """Where nothing is trained, the kernels are transformed once."""
        if not torch.is_inference_mode_enabled():
            return _kernels_of(self._of(weight))
        state = id(weight), weight.data_ptr(), -1 if weight.is_inference() else weight._version
        if self._known is None or self._known[0] != state:
            self._known = state, _kernels_of(self._of(weight))
        return self._known[1]


class _Winograd(torch.autograd.Function):
    """The convolution and its exact derivatives, each with products of matrices.

    Tiles lie as (36, n * tiles, channels), so that every step is one product of matrices or one copy.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, side: int) -> torch.Tensor:
        """(n, in, h, w), (side^2 * out, in, 3, 3) -> (n, out, side (h - 2), side (w - 2))."""
        # The tiles have more than twice the size of the image, so that they are made again rather than kept.
        ctx.save_for_backward(x, weight)
        ctx.side = side
        return _convolved(x, _kernels_of(weight), side)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        x, weight = ctx.saved_tensors
        n, channels, height, width = x.shape
        outputs, side = weight.shape[0], ctx.side
        down, right = _tiles(x)
        image, kernel, inverse = _matrices()
        rows = _filled(grad.permute(0, 2, 3, 1), TILE * down * side, TILE * right * side)
        blocks = rows.reshape(n, down, TILE, side, right, TILE, side, -1).permute(2, 5, 0, 1, 4, 3, 6, 7)
        products = (inverse.T @ blocks.reshape(TILE**2, -1)).view(WINDOW**2, -1, outputs)
        of_weight = of_image = None
        if ctx.needs_input_grad[1]:
            kernels = kernel.T @ torch.bmm(_transformed(x).transpose(1, 2), products).view(WINDOW**2, -1)
            of_weight = kernels.view(3, 3, channels, outputs).permute(3, 2, 0, 1)
        if ctx.needs_input_grad[0]:
            windows = image.T @ torch.bmm(products, _kernels_of(weight).transpose(1, 2)).view(WINDOW**2, -1)
            windows = windows.view(WINDOW, WINDOW, n, down, right, channels).permute(2, 3, 0, 4, 1, 5)
            of_image = _overlapped(windows)[:, :height, :width].permute(0, 3, 1, 2)
        return of_image, of_weight, None


def _kernels_of(weight: torch.Tensor) -> torch.Tensor:
    """(out, in, 3, 3) -> (36, in, out)."""
    outputs, inputs = weight.shape[:2]
    return (_matrices()[1] @ weight.permute(2, 3, 1, 0).reshape(9, -1)).view(WINDOW**2, inputs, outputs)


def _transformed(x: torch.Tensor) -> torch.Tensor:
    """An image -> its tiles (36, n * tiles, in)."""
    down, right = _tiles(x)
    rows = _filled(x.permute(0, 2, 3, 1), TILE * down + 2, TILE * right + 2)
    windows = rows.unfold(1, WINDOW, TILE).unfold(2, WINDOW, TILE).permute(4, 5, 0, 1, 2, 3)
    return (_matrices()[0] @ windows.reshape(WINDOW**2, -1)).view(WINDOW**2, -1, x.shape[1])


def _convolved(x: torch.Tensor, kernels: torch.Tensor, side: int) -> torch.Tensor:
    """The convolution (n, out, side (h - 2), side (w - 2)), channels-last."""
    n, _, height, width = x.shape
    down, right = _tiles(x)
    pixels = _matrices()[2] @ torch.bmm(_transformed(x), kernels).view(WINDOW**2, -1)
    pixels = pixels.view(TILE, TILE, n, down, right, side, side, -1).permute(2, 3, 0, 5, 4, 1, 6, 7)
    pixels = pixels.reshape(n, TILE * down * side, TILE * right * side, -1)
    return pixels[:, : side * (height - 2), : side * (width - 2)].permute(0, 3, 1, 2)


def _filled(rows: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(n, h, w, c) with zeros below and to the right up to whole tiles."""
    missing = height - rows.shape[1], width - rows.shape[2]
    return nn.functional.pad(rows, (0, 0, 0, missing[1], 0, missing[0])) if any(missing) else rows


def _overlapped(windows: torch.Tensor) -> torch.Tensor:
    """(n, down, 6, right, 6, c), windows that move on by four pixels -> their sum (n, 4 down + 4, 4 right + 4, c)."""
    n, down, _, right, _, channels = windows.shape
    total = windows.new_zeros(n, down + 1, TILE, right + 1, TILE, channels)
    total[:, :down, :, :right] = windows[:, :, :TILE, :, :TILE]
    total[:, 1:, :2, :right] += windows[:, :, TILE:, :, :TILE]
    total[:, :down, :, 1:, :2] += windows[:, :, :TILE, :, TILE:]
    total[:, 1:, :2, 1:, :2] += windows[:, :, TILE:, :, TILE:]
    return total.view(n, TILE * (down + 1), TILE * (right + 1), channels)


def _tiles(x: torch.Tensor) -> tuple[int, int]:
    """How many tiles cover the output, downwards and to the right."""
    return -(-(x.shape[2] - 2) // TILE), -(-(x.shape[3] - 2) // TILE)


@cache
def _matrices() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The transforms of two dimensions: of images (36, 36), kernels (36, 9) and products (16, 36)."""
    with torch.inference_mode(False):
        rows = [torch.tensor(values, dtype=torch.float64) for values in (_IMAGE, _KERNEL, _INVERSE)]
        image, kernel, inverse = (torch.kron(matrix, matrix).float() for matrix in rows)
        return image, kernel, inverse
