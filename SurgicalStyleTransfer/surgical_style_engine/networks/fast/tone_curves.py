"""Local tone curves read at full resolution with little memory moved: planes one after the other."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.networks.tracing import is_traced


def reads_plane_by_plane(x: torch.Tensor) -> bool:
    """Whether this way is the faster one; not measured on other devices, and exporters want plain layers."""
    return x.device.type == "cpu" and not is_traced() and not torch.onnx.is_in_onnx_export()


def read_curves(curves: torch.Tensor, place: torch.Tensor, factor: int) -> torch.Tensor:
    """The values of curves that are enlarged bilinearly, each pixel's at its own place.

    A curve through values v is v_0 + (v_1 - v_0) clamp(place, 0, 1) + (v_2 - v_1) clamp(place - 1, 0, 1) and so on: the
    same as weighing its values by hat functions, in a third of the passes over the image, and with no array that is
    larger than the enlarged curves.

    Args:
        curves: (n, out, bins, h / factor, w / factor).
        place: (n, out, h, w) between 0 and bins - 1; any precision, fp32 is best.
        factor: whole number.

    Returns:
        (n, out, h, w), at least in fp32.
    """
    n, out, bins, low_h, low_w = curves.shape
    kind = torch.promote_types(place.dtype, torch.float32)
    curves, place = curves.to(kind), place.to(kind)
    steps = torch.cat([curves[:, :, :1], curves.diff(dim=2)], 2).view(n, out * bins, low_h, low_w)
    high = F.interpolate(steps, scale_factor=float(factor), mode="bilinear").view(n, out, bins, *place.shape[-2:])
    result = high[:, :, 0].clone()
    for index in range(1, bins):
        result.addcmul_((place - (index - 1)).clamp_(0, 1), high[:, :, index])
    return result


def pointwise(layers: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """Two convolutions of 1 x 1 with ReLU between them, as products of matrices: few channels, many pixels.

    Args:
        layers: convolution, ReLU, convolution.
        x: (n, c, h, w).

    Returns:
        (n, out, h, w).
    """
    n, c, h, w = x.shape
    values = x.reshape(n, c, h * w)
    for layer in (layers[0], layers[2]):
        weight, bias = layer.get_parameter("weight").flatten(1), layer.get_parameter("bias")
        values = torch.baddbmm(bias.view(1, -1, 1), weight.expand(n, -1, -1), values)
        if layer is layers[0]:
            values = values.relu_()
    return values.view(n, -1, h, w)
