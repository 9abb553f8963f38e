"""The default generator written down for OpenVINO from its stored weights, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from surgical_style_engine.networks.resnet_layout import ResnetLayout, block_side
from surgical_style_engine.volumes.slices import middle

from .library import operations

EPSILON = 1e-5  # added to the variance, as torch's InstanceNorm2d has it
_BLUR = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32) / 16


def resnet_network(layout: ResnetLayout, weights: dict[str, np.ndarray], channels: int) -> Any:
    """The network of a generator.

    It is what ``openvino.convert_model`` makes of ``networks.resnet.ResnetGenerator`` after ``middle_only``: layer by
    layer the same operations, with weights prepared as the layers of torch prepare them.

    Args:
        layout: the generator's.
        weights: float32, by the layout's names.
        channels: of a slice; of a stack of slices only the middle one's are computed.

    Returns:
        An ``openvino.Model``: (n, in_channels, h, w) float32 -> (n, channels', h, w), for any n, and h and w that are
        multiples of 4.
    """
    import openvino

    op = operations()
    image = op.parameter(openvino.PartialShape([-1, layout.in_channels, -1, -1]), np.float32, name="x")
    x = _normal_relu(_convolution(_padded(image, 3), weights[layout.stem]))
    for name in layout.downs:
        x = _normal_relu(_convolution(_blurred(_padded(x, 2)), weights[name], stride=2))
    for first, second in layout.blocks:
        inner = _normal_relu(_convolution(_padded(x, 1), weights[first]))
        x = op.add(x, _normal(_convolution(_padded(inner, 1), weights[second])))
    for name in layout.ups:
        x = _normal_relu(_upsampled(x, weights[name]))
    kernel, bias = (weights[name] for name in layout.end)
    if layout.out_channels > channels:
        kept = middle(layout.out_channels, channels)
        kernel, bias = kernel[kept], bias[kept]
    return openvino.Model([op.tanh(_by_blocks(_padded(x, 3), kernel, bias))], [image], "resnet")


def _padded(x: Any, width: int, mode: str = "reflect") -> Any:
    op = operations()
    widths = op.constant(np.array([0, 0, width, width], np.int64))
    return op.pad(x, widths, widths, mode)


def _convolution(x: Any, kernel: np.ndarray, stride: int = 1) -> Any:
    op = operations()
    return op.convolution(x, _constant(kernel), [stride, stride], [0, 0], [0, 0], [1, 1])


def _normal(x: Any) -> Any:
    """Instance normalisation."""
    op = operations()
    return op.mvn(x, op.constant(np.array([2, 3], np.int64)), True, EPSILON, "inside_sqrt")


def _normal_relu(x: Any) -> Any:
    op = operations()
    return op.relu(_normal(x))


def _blurred(x: Any) -> Any:
    """Every channel by itself, see ``networks.blocks.BlurDownConv``."""
    op = operations()
    count = x.get_output_partial_shape(0)[1].get_length()
    kernel = np.broadcast_to(_BLUR, (count, 1, 1, 3, 3))
    return op.group_convolution(x, _constant(kernel), [1, 1], [0, 0], [0, 0], [1, 1])


def _upsampled(x: Any, weight: np.ndarray) -> Any:
    """Doubling and convolution as one transposed convolution, see ``networks.fast.upsampling``."""
    op = operations()
    kernel = _constant(upsampling_kernel(weight))
    # The reflection of a doubled image repeats its edge.
    return op.convolution_backprop_data(
        _padded(x, 1, "edge"), kernel, strides=[2, 2], pads_begin=[3, 3], pads_end=[3, 3], dilations=[1, 1]
    )


def _by_blocks(x: Any, weight: np.ndarray, bias: np.ndarray) -> Any:
    """The last convolution, see ``networks.fast.block_convolution``."""
    op = operations()
    side = block_side(len(weight))
    blocks = _convolution(x, block_kernel(weight, side), side)
    blocks = op.add(blocks, _constant(np.repeat(bias, side**2)[None, :, None, None]))
    return blocks if side == 1 else op.depth_to_space(blocks, "depth_first", side)


def _constant(values: np.ndarray) -> Any:
    op = operations()
    return op.constant(np.ascontiguousarray(values, np.float32))


def upsampling_kernel(weight: np.ndarray) -> np.ndarray:
    """(out, in, 3, 3) on a doubled image -> (in, out, 4, 4) of a transposed convolution of stride 2 that does both."""
    for axis in (2, 3):
        first, centre, last = np.moveaxis(weight, axis, 0)
        weight = np.stack([last, centre + last, first + centre, first], axis)
    return weight.swapaxes(0, 1)


def block_kernel(weight: np.ndarray, side: int) -> np.ndarray:
    """(out, in, k, k) -> (out * side^2, in, k + side - 1, k + side - 1): the kernel moved to each pixel of a block."""
    rest = side - 1
    moved = [
        np.pad(weight, ((0, 0), (0, 0), (down, rest - down), (right, rest - right)))
        for down in range(side)
        for right in range(side)
    ]
    return np.stack(moved, 1).reshape(-1, *moved[0].shape[1:])
