"""A generator of a stack of slices that computes the middle one alone."""

from __future__ import annotations

import copy

import torch
from torch import nn

from surgical_style_engine.volumes.slices import middle

from .block_convolution import BlockConv2d


def middle_only(network: nn.Module, channels: int) -> nn.Module:
    """The generator with its last convolution cut down to the ``channels`` output channels of the middle slice.

    A 2.5-D model gives the stack it takes, so that a training cycle closes; a translation keeps the middle slice only.
    What it computes for that slice stays bit for bit the same. The network itself where there is nothing to leave out
    or its end is another one; else a copy that shares no weights.
    """
    ends = [name for name, layer in network.named_modules() if isinstance(layer, BlockConv2d)]
    if len(ends) != 1 or network.get_submodule(ends[0]).out_channels <= channels:
        return network
    network = copy.deepcopy(network)
    whole = network.get_submodule(ends[0])
    kept = middle(whole.out_channels, channels)
    part = BlockConv2d(whole.in_channels, channels, whole.kernel_size[0])
    with torch.no_grad():
        part.weight.copy_(whole.weight[kept])
        part.bias.copy_(whole.bias[kept])
    parent, _, own = ends[0].rpartition(".")
    setattr(network.get_submodule(parent), own, part.to(whole.weight.device, whole.weight.dtype).train(whole.training))
    return network
