"""The normalisation layers that the reference code's generators come with."""

from __future__ import annotations

from typing import Literal

from torch import nn

from surgical_style_engine.networks.instance_norm import InstanceNorm2d

Norm = Literal["instance", "batch", "batch_image", "none"]


def norm_layer(kind: Norm, channels: int) -> nn.Module:
    """A layer of the reference code by name; (n, c, h, w) -> same.

    ``batch`` uses the running statistics of training. ``batch_image`` has the same weights but takes the statistics
    of each image: what a batch normalisation computes in the reference's test script, which leaves the network in
    training mode with one image a batch (Isola et al. 2017, section 3.3).
    """
    if kind == "instance":
        return InstanceNorm2d(channels)
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "batch_image":
        return InstanceNorm2d(channels, affine=True)
    return nn.Identity()


def has_bias(kind: Norm) -> bool:
    """Whether the reference code gives convolutions before this layer a bias."""
    return kind == "instance"
