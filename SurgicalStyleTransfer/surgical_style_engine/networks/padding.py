"""Padding that keeps the precision of what it pads."""

from __future__ import annotations

import contextlib

import torch
from torch import nn
from torch.nn import functional as F


def pad(x: torch.Tensor, widths: tuple[int, int, int, int], mode: str) -> torch.Tensor:
    """``torch.nn.functional.pad`` by reflect or replicate, in the precision of ``x``; (n, c, h, w) -> padded.

    On the CPU, autocast would turn images into fp32 for it and the next convolution turns them back, which costs a
    fifteenth of a training step (Testing/benchmarks/NOTES.md). Values are only copied; their gradients are added up.
    """
    casting = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    with torch.autocast("cpu", enabled=False) if casting else contextlib.nullcontext():
        return F.pad(x, widths, mode=mode)


class ReflectionPad2d(nn.ReflectionPad2d):
    """``torch.nn.ReflectionPad2d`` in the precision of what it pads."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return pad(x, self.padding, "reflect")
