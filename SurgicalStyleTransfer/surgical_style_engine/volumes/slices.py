"""Slices of a volume as a network sees them: which to run, with which neighbours, padded to which size."""

from __future__ import annotations

import numpy as np


def body_slices(array: np.ndarray, level: float = 0.02, fraction: float = 1e-4) -> np.ndarray:
    """(c, s, h, w) normalised -> (s,) bool: slices with anything in them.

    A slice is worth running when more than ``fraction`` of its pixels lie ``level`` above the slice's own minimum in
    any channel. Constant slices never do, whatever their value: InstanceNorm of one would be NaN.
    """
    smallest = array.min(axis=(2, 3), keepdims=True)
    return (array > smallest + level).any(axis=0).mean(axis=(1, 2)) > fraction


def stack_step(stack_spacing_mm: float, slice_mm: float) -> int:
    """How many slices apart the neighbours are: the physical distance a 2.5-D model learned, at least one slice."""
    return max(1, round(stack_spacing_mm / max(slice_mm, 1e-6)))


def stack_indices(count: int, stack: int, step: int = 1) -> np.ndarray:
    """(count, stack) slice numbers: each slice with its neighbours ``step`` apart, clamped at the ends; the slice
    itself is in column ``stack // 2``."""
    offsets = (np.arange(stack) - stack // 2) * step
    return np.clip(np.arange(count)[:, None] + offsets, 0, max(count - 1, 0))


def gather_stacks(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """(c, s, h, w) and (n, stack) -> (n, stack*c, h, w); the channels of one slice stay together."""
    n, stack = indices.shape
    gathered = np.asarray(array[:, indices.reshape(-1)])
    c, _, h, w = gathered.shape
    stacks = gathered.reshape(c, n, stack, h, w).transpose(1, 2, 0, 3, 4)
    return np.ascontiguousarray(stacks).reshape(n, stack * c, h, w)


def middle(count: int, channels: int) -> slice:
    """Which of ``count`` channels, those of a stack of slices with ``channels`` each, are the middle slice's."""
    first = (count // channels // 2) * channels
    return slice(first, first + channels)


def pad_to_multiple(batch: np.ndarray, multiple: int) -> tuple[np.ndarray, tuple[slice, slice]]:
    """(..., h, w) padded at the far edges to a multiple by repeating the edge, and the (row, column) slices that crop
    it back. Nothing to pad: the batch itself."""
    h, w = batch.shape[-2:]
    extra = (-h % multiple, -w % multiple)
    crop = (slice(0, h), slice(0, w))
    if not any(extra):
        return batch, crop
    widths = [(0, 0)] * (batch.ndim - 2) + [(0, extra[0]), (0, extra[1])]
    return np.pad(batch, widths, mode="edge"), crop
