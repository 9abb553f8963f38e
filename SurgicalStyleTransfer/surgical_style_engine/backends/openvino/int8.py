"""A network's heavy convolutions in int8, within OpenVINO."""

from __future__ import annotations

from typing import Any

import numpy as np

from .library import operations

LEAST_CHANNELS = 64  # of input and output; below, finding the range costs what the multiplications save
LEVELS = 127  # steps from zero to the largest value of an image; after ReLU 255
# Processors without VNNI add two products in 16 bits, which 255 * 64 * 2 just fits. All use half the range of weights,
# so that the same model gives the same image everywhere.
WEIGHT_LEVELS = 64
_LEAST_RANGE = np.float32(1e-6)  # of an image that is zero throughout


def round_to_int8(network: Any) -> int:
    """Let a network multiply in int8 where most of its work lies.

    These are convolutions of stride 1 with a kernel of at least 3x3 and LEAST_CHANNELS channels on both sides: the
    residual blocks. What leads into the network, out of it and from one scale to the next stays as it is; there eight
    bits would cost most of the accuracy (Testing/benchmarks/NOTES.md).

    Weights are rounded to 129 levels for each output channel (Jacob et al., CVPR 2018). Images are divided by their own
    largest value, one by one, and rounded to 256 levels: no range is learned beforehand, so that no
    image can leave it. The result is multiplied by both ranges again.

    Args:
        network: an ``openvino.Model``, which is changed.

    Returns:
        How many layers were changed.
    """
    changed = 0
    for layer in network.get_ordered_ops():
        if _is_heavy(layer):
            _round(layer)
            changed += 1
    if changed:
        network.validate_nodes_and_infer_types()
    return changed


def _is_heavy(layer: Any) -> bool:
    if layer.get_type_name() != "Convolution" or layer.input_value(1).get_node().get_type_name() != "Constant":
        return False
    shape = list(layer.input_value(1).get_shape())
    strides = layer.get_attributes()["strides"]
    return len(shape) == 4 and min(shape[:2]) >= LEAST_CHANNELS and min(shape[2:]) >= 3 and max(strides) == 1


def _round(layer: Any) -> None:
    """One convolution: its image, its weights and what comes out of it."""
    op = operations()
    before = layer.input_value(0).get_node()
    # Padded after rounding: a quarter of the memory to copy.
    taker = before if before.get_type_name() == "Pad" else layer
    image = taker.input_value(0)
    positive = image.get_node().get_type_name() == "Relu"
    every = op.constant(np.array([1, 2, 3], np.int64))  # channels and pixels of one image
    largest = op.reduce_max(image if positive else op.abs(image), every, keep_dims=True)
    largest = op.maximum(largest, op.constant(_LEAST_RANGE))
    one = op.constant(np.float32(1))
    # From -128 to 127, so that zero is one of the levels.
    least = op.constant(np.float32(0 if positive else -(LEVELS + 1) / LEVELS))
    scaled = op.multiply(image, op.divide(one, largest))
    taker.input(0).replace_source_output(op.fake_quantize(scaled, least, one, least, one, 256).output(0))

    weights = layer.input_value(1).get_node().data.astype(np.float32)
    ends = np.maximum(np.abs(weights).max(axis=(1, 2, 3), keepdims=True), _LEAST_RANGE) * (LEVELS / WEIGHT_LEVELS)
    low, high = op.constant(-ends.astype(np.float32)), op.constant(ends.astype(np.float32))
    rounded = op.fake_quantize(op.constant(weights), low, high, low, high, 2 * LEVELS + 1)
    layer.input(1).replace_source_output(rounded.output(0))

    takers = list(layer.output(0).get_target_inputs())
    in_range = op.multiply(layer, largest)
    for place in takers:
        place.replace_source_output(in_range.output(0))
