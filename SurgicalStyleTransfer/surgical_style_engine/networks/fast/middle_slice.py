"""A generator of a stack of slices that computes the middle one alone."""

from __future__ import annotations

import copy
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from surgical_style_engine.volumes.slices import middle

from .block_convolution import BlockConv2d


@runtime_checkable
class OfMiddle(Protocol):
    """A generator that knows itself what of it makes the middle slice."""

    out_channels: int

    def of_middle(self, channels: int) -> nn.Module:
        """A copy, without shared weights, that gives the channels of the middle slice alone."""


def middle_only(network: nn.Module, channels: int) -> nn.Module:
    """The generator with what ends in the output channels cut down to those of the middle slice.

    A 2.5-D model gives the stack it takes, so that a training cycle closes; a translation keeps the middle slice only.
    What it computes for that slice stays bit for bit the same.

    Args:
        network: a generator.
        channels: of a slice.

    Returns:
        The network itself where there is nothing to leave out or its end is another one; else a copy that shares no
        weights.
    """
    if isinstance(network, OfMiddle):
        return network.of_middle(channels) if network.out_channels > channels else network
    ends = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, BlockConv2d)]
    if len(ends) != 1 or ends[0][1].out_channels <= channels:
        return network
    network = copy.deepcopy(network)
    name, whole = ends[0]
    kept = middle(whole.out_channels, channels)
    part = BlockConv2d(whole.in_channels, channels, whole.kernel_size[0])
    with torch.no_grad():
        for own_values, values in ((part.weight, whole.weight), (part.bias, whole.bias)):
            if own_values is not None and values is not None:
                own_values.copy_(values[kept])
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, part.to(whole.weight.device, whole.weight.dtype).train(whole.training))
    return network
