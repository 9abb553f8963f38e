"""The generator of local tone curves written down for OpenVINO from its stored weights, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from surgical_style_engine.networks.bilateral_layout import CELL, GROUPS, LARGEST, BilateralLayout
from surgical_style_engine.volumes.slices import middle

from .library import operations

EPSILON = 1e-5  # added to the variance, as torch's GroupNorm has it
_PIXELS = (2, 3)  # the axes of rows and columns


def bilateral_network(layout: BilateralLayout, weights: dict[str, np.ndarray], channels: int) -> Any:
    """The network of a generator.

    It computes what ``networks.bilateral.BilateralGenerator`` does after ``middle_only``, in operations that leave the
    channels innermost, as convolutions on a CPU have them: what comes between them would otherwise turn the images
    over and back.

    Args:
        layout: the generator's.
        weights: float32, by the layout's names.
        channels: of a slice; of a stack of slices only the middle one's are computed.

    Returns:
        An ``openvino.Model``: (n, in_channels, h, w) float32 -> (n, channels', h, w), for any n, h and w.
    """
    import openvino

    op = operations()
    image = op.parameter(openvino.PartialShape([-1, layout.in_channels, -1, -1]), np.float32, name="x")
    return openvino.Model([translated(image, layout, weights, channels)], [image], "bilateral")


def translated(image: Any, layout: BilateralLayout, weights: dict[str, np.ndarray], channels: int) -> Any:
    """What the generator makes of an image within a network, (n, channels', h, w); see ``bilateral_network``."""
    op = operations()
    writer = _Writer(layout, weights, _kept(layout, channels))
    size = op.slice(op.shape_of(image), whole(2), whole(4), whole(1))
    x = padded(image, size, layout.multiple)
    half = halved(x, layout.in_channels)
    low = writer.context(half)
    y = writer.toned(x, low)
    if layout.residual:
        y = op.add(y, writer.detail(half, low))
    return op.slice(op.clamp(y, -1.0, 1.0), whole(0, 0), size, whole(1, 1), whole(*_PIXELS))


def _kept(layout: BilateralLayout, channels: int) -> slice:
    """Which of the output channels are computed."""
    if layout.out_channels > channels:
        return middle(layout.out_channels, channels)
    return slice(0, layout.out_channels)


@dataclass(frozen=True)
class _Writer:
    """The parts of the network.

    Attributes:
        layout: the generator's.
        weights: by the layout's names.
        kept: which output channels are computed.
    """

    layout: BilateralLayout
    weights: dict[str, np.ndarray]
    kept: slice

    def context(self, half: Any) -> Any:
        """Slices at half their resolution -> what the U makes of them at an eighth."""
        x = half
        for name, stride in self.layout.stem:
            x = self._normal_relu(x, f"{name}.0", f"{name}.1", stride)
        return self._level(x, 0)

    def _level(self, x: Any, depth: int) -> Any:
        op, name = operations(), self.layout.level(depth)
        x = self._block(x, f"{name}.before")
        if depth < self.layout.levels:
            down = self._normal_relu(x, f"{name}.down.0", f"{name}.down.1", 2)
            x = op.add(x, enlarged(self._level(down, depth + 1), 2))
        return self._block(x, f"{name}.after")

    def _block(self, x: Any, name: str) -> Any:
        op = operations()
        first, second = self.layout.block(name)
        return op.relu(op.add(x, self._normal(self._normal_relu(x, *first), *second)))

    def _normal_relu(self, x: Any, kernel: str, norm: str, stride: int = 1) -> Any:
        return operations().relu(self._normal(x, kernel, norm, stride))

    def _normal(self, x: Any, kernel: str, norm: str, stride: int = 1) -> Any:
        return normal(x, self.weights, kernel, norm, stride)

    def toned(self, x: Any, low: Any) -> Any:
        """The slices through their tone curves.

        As ``networks.fast.tone_curves`` reads them: a curve's first value and its steps, each weighed by
        clamp(place - its number, 0, 1). Convolutions of 1 x 1 give all of the places at once and add up the values.
        """
        op, bins = operations(), self.layout.bins
        count = self.kept.stop - self.kept.start
        rows = slice(self.kept.start * bins, self.kept.stop * bins)
        grid = op.tanh(convolution(low, self.weights["head.weight"][rows], bias=self.weights["head.bias"][rows]))
        steps = np.kron(np.eye(count), np.eye(bins) - np.eye(bins, k=-1))[:, :, None, None]
        curves = enlarged(convolution(grid, steps), CELL)
        share = op.clamp(self._places(x, count), 0.0, 1.0)
        together = np.kron(np.eye(count), np.full((1, bins), LARGEST))[:, :, None, None]
        return convolution(op.multiply(curves, share), together)

    def _places(self, x: Any, count: int) -> Any:
        """(n, count * bins, h, w): 1 for the curve's first value, and for its steps how far the place is beyond."""
        bins, largest = self.layout.bins, self.layout.bins - 1
        first, last = self.weights["guide.0.weight"], self.weights["guide.2.weight"][self.kept]
        translated = np.eye(self.layout.in_channels)[self.layout.translated][self._of_translated][:, :, None, None]
        # The slices themselves go through ReLU as their positive and their negative part.
        features = np.concatenate([first, translated, -translated])
        zeros = np.zeros(2 * count)
        x = operations().relu(convolution(x, features, bias=np.concatenate([self.weights["guide.0.bias"], zeros])))
        half = np.eye(count)[:, :, None, None] / 2
        place = np.concatenate([last, half, -half], 1) * largest  # (count, features, 1, 1)
        offset = (self.weights["guide.2.bias"][self.kept] + 0.5) * largest
        kernel = np.repeat(place[:, None], bins, 1)
        bias = offset[:, None] - np.arange(-1, bins - 1)
        kernel[:, 0], bias[:, 0] = 0, 1
        return convolution(x, kernel.reshape(count * bins, -1, 1, 1), bias=bias.ravel())

    @property
    def _of_translated(self) -> slice:
        """Those of the translated slices that are computed."""
        return self.kept if self.layout.out_channels > 1 else slice(0, 1)

    def detail(self, half: Any, low: Any) -> Any:
        """The residual."""
        op, weights = operations(), self.weights

        def layer(x: Any, name: str, side: int, rows: slice = slice(None)) -> Any:
            return convolution(x, weights[f"{name}.weight"][rows], 1, side // 2, weights[f"{name}.bias"][rows])

        around = enlarged(layer(low, "detail.context", 1), CELL // 2)
        x = op.relu(op.add(layer(half, "detail.first.1", 3), around))
        x = op.relu(layer(x, "detail.last.1", 3))
        return doubled(op.tanh(layer(x, "detail.last.3", 1, self.kept)), self.layout.residual)


def normal(x: Any, weights: dict[str, np.ndarray], kernel: str, norm: str, stride: int = 1) -> Any:
    """A convolution of 3 x 3 and group normalisation; its sums are of channels first, and then of their groups.

    Args:
        x: (n, c, h, w).
        weights: by name.
        kernel: name of the convolution.
        norm: name of the normalisation.
        stride: of the convolution.
    """
    op = operations()
    x = convolution(x, weights[f"{kernel}.weight"], stride, 1)
    weight, bias = (weights[f"{norm}.{part}"][None, :, None, None] for part in ("weight", "bias"))
    size = weight.shape[1] // GROUPS
    in_groups = np.kron(np.eye(GROUPS), np.full((size, size), 1 / size))[:, :, None, None]
    centred = op.subtract(x, convolution(_mean(x), in_groups))
    variance = convolution(_mean(op.multiply(centred, centred)), in_groups)
    scale = op.divide(constant(weight), op.sqrt(op.add(variance, constant(np.float32(EPSILON)))))
    return op.add(op.multiply(centred, scale), constant(bias))


def halved(x: Any, channels: int) -> Any:
    """An image of so many channels at half its resolution: means of four pixels."""
    kernel = np.zeros((channels, channels, 2, 2))
    kernel[np.arange(channels), np.arange(channels)] = 1 / 4
    return convolution(x, kernel, 2)


def padded(image: Any, size: Any, multiple: int) -> Any:
    """Rows and columns up to a multiple, the far edges repeated."""
    op = operations()
    extra = op.floor_mod(op.negative(size), op.constant(np.int64(multiple)))
    return op.pad(image, whole(0, 0, 0, 0), op.concat([whole(0, 0), extra], 0), "edge")


def _mean(x: Any) -> Any:
    """Of every channel, (n, c, 1, 1)."""
    return operations().reduce_mean(x, whole(*_PIXELS), True)


def convolution(x: Any, kernel: np.ndarray, stride: int = 1, width: int = 0, bias: np.ndarray | None = None) -> Any:
    """Zeros around: ``width`` pixels of them."""
    op = operations()
    y = op.convolution(x, constant(kernel), [stride] * 2, [width] * 2, [width] * 2, [1, 1])
    return y if bias is None else op.add(y, constant(bias[None, :, None, None]))


def enlarged(x: Any, factor: int) -> Any:
    """Bilinearly."""
    op = operations()
    return op.interpolate(
        x,
        constant(np.array([factor, factor])),
        "linear_onnx",
        "scales",
        coordinate_transformation_mode="half_pixel",
        axes=whole(*_PIXELS),
    )


def doubled(x: Any, gain: float) -> Any:
    """Enlarged bilinearly by two and multiplied: of each pixel's neighbours its four new ones are made at once.

    For few channels several times as fast as interpolation.
    """
    op = operations()
    count = x.get_output_partial_shape(0)[1].get_length()
    near = np.array([[0.25, 0.75, 0], [0, 0.75, 0.25]])  # of the pixel before, itself and the one behind
    of_four = np.einsum("ai,bj->abij", near, near).reshape(4, 3, 3) * gain
    kernel = np.zeros((count, 4, count, 3, 3))
    kernel[np.arange(count), :, np.arange(count)] = of_four
    around = op.pad(x, whole(0, 0, 1, 1), whole(0, 0, 1, 1), "edge")
    return op.depth_to_space(convolution(around, kernel.reshape(4 * count, count, 3, 3)), "depth_first", 2)


def constant(values: np.ndarray) -> Any:
    """An array in single precision."""
    return operations().constant(np.ascontiguousarray(values, np.float32))


def whole(*numbers: int) -> Any:
    """Whole numbers, as sizes and axes are given."""
    return operations().constant(np.array(numbers, np.int64))
