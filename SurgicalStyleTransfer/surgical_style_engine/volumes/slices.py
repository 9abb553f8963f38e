"""Slices of a volume as a network sees them: which to run, with which neighbours, padded to which size."""

from __future__ import annotations

import numpy as np


def body_slices(array: np.ndarray, level: float = 0.02, fraction: float = 1e-4) -> np.ndarray:
    """Find the slices with anything in them, which are worth running.

    Constant slices never are, whatever their value: InstanceNorm of one would be NaN.

    Args:
        array: (c, s, h, w) normalised.
        level: How far above the slice's own minimum, in any channel, a pixel counts.
        fraction: Part of a slice's pixels that must count.

    Returns:
        (s,) bool.
    """
    smallest = array.min(axis=(2, 3), keepdims=True)
    return (array > smallest + level).any(axis=0).mean(axis=(1, 2)) > fraction


def stack_step(stack_spacing_mm: float, slice_mm: float) -> int:
    """Return how many slices apart the neighbours are: the distance a 2.5-D model learned, at least one slice."""
    return max(1, round(stack_spacing_mm / max(slice_mm, 1e-6)))


def stack_indices(count: int, stack: int, step: int = 1) -> np.ndarray:
    """Number each slice with its neighbours ``step`` apart, clamped at the ends.

    Returns:
        (count, stack) slice numbers; the slice itself is in column ``stack // 2``.

    Example:
        >>> stack_indices(3, 3).tolist()
        [[0, 0, 1], [0, 1, 2], [1, 2, 2]]
    """
    offsets = (np.arange(stack) - stack // 2) * step
    return np.clip(np.arange(count)[:, None] + offsets, 0, max(count - 1, 0))


def gather_stacks(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Gather slices (c, s, h, w) by numbers (n, stack) to (n, stack*c, h, w); a slice's channels stay together."""
    n, stack = indices.shape
    gathered = np.asarray(array[:, indices.reshape(-1)])
    c, _, h, w = gathered.shape
    stacks = gathered.reshape(c, n, stack, h, w).transpose(1, 2, 0, 3, 4)
    return np.ascontiguousarray(stacks).reshape(n, stack * c, h, w)


def middle(count: int, channels: int) -> slice:
    """Return which of ``count`` channels, those of a stack of slices with ``channels`` each, are the middle one's."""
    first = (count // channels // 2) * channels
    return slice(first, first + channels)


def pad_to_multiple(batch: np.ndarray, multiple: int) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Pad images at the far edges to a multiple by repeating the edge.

    Args:
        batch: (..., h, w).
        multiple: Of pixels a side.

    Returns:
        The padded images, and the (row, column) slices that crop them back. Nothing to pad: the batch itself.
    """
    h, w = batch.shape[-2:]
    extra = (-h % multiple, -w % multiple)
    crop = (slice(0, h), slice(0, w))
    if not any(extra):
        return batch, crop
    widths = [(0, 0)] * (batch.ndim - 2) + [(0, extra[0]), (0, extra[1])]
    return np.pad(batch, widths, mode="edge"), crop
