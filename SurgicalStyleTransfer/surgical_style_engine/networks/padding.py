"""Padding that keeps the precision of what it pads."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .tracing import is_traced


def pad(x: torch.Tensor, widths: tuple[int, int, int, int], mode: str) -> torch.Tensor:
    """``torch.nn.functional.pad`` by reflect or replicate, in the precision of ``x``; (n, c, h, w) -> padded.

    On the CPU, autocast would turn images into fp32 for it and the next convolution turns them back, which costs a
    fifteenth of a training step (Testing/benchmarks/NOTES.md). Values are only copied; their gradients are added up.
    """
    casting = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    with torch.autocast("cpu", enabled=False) if casting else contextlib.nullcontext():
        trained = torch.is_grad_enabled() and x.requires_grad and not is_traced()
        if mode == "reflect" and x.device.type == "cpu" and trained:
            return _Reflected.apply(x, widths)
        return F.pad(x, widths, mode=mode)


class _Reflected(torch.autograd.Function):
    """Padding by reflection whose way back keeps the layout.

    torch's own turns channels-last images over, which takes several times as long (Testing/benchmarks/NOTES.md).
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, widths: tuple[int, int, int, int]) -> torch.Tensor:
        ctx.widths = widths
        return F.pad(x, widths, mode="reflect")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        left, right, top, bottom = ctx.widths
        height = grad.shape[2] - top - bottom
        inner = _narrower(grad.narrow(2, top, height), left, right)
        if top:
            inner.narrow(2, 1, top).add_(_narrower(grad.narrow(2, 0, top), left, right).flip(2))
        if bottom:
            beyond = _narrower(grad.narrow(2, top + height, bottom), left, right)
            inner.narrow(2, height - 1 - bottom, bottom).add_(beyond.flip(2))
        return inner, None


def _narrower(grad: torch.Tensor, left: int, right: int) -> torch.Tensor:
    """A copy without columns at both sides, which are added to those that they are the reflections of."""
    width = grad.shape[3] - left - right
    inner = grad.narrow(3, left, width).clone(memory_format=torch.preserve_format)
    if left:
        inner.narrow(3, 1, left).add_(grad.narrow(3, 0, left).flip(3))
    if right:
        inner.narrow(3, width - 1 - right, right).add_(grad.narrow(3, left + width, right).flip(3))
    return inner


class ReflectionPad2d(nn.ReflectionPad2d):
    """``torch.nn.ReflectionPad2d`` in the precision of what it pads."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return pad(x, self.padding, "reflect")
