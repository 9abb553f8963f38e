"""Laplacian pyramid fusion in 3-D (Burt and Adelson 1983; Burt and Kolczynski 1993).

Each input is split into details from fine to coarse; at every scale the details are combined by `selection.select`,
the coarsest remainder is averaged, and the sum of all is the result. Scales are in mm: an axis is halved only once
the others have caught up with its spacing, so that scans of 0.9 x 0.9 x 3 mm are first halved in plane alone.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from surgical_style_engine.volumes.filters import Spacing

from .inputs import FusionInputs, Tick, weighted_sum
from .selection import measure, select

COARSEST_MM = 24.0  # grid of the remainder that is averaged: wider than a ventricle, which should be of one input
SMALLEST = 8  # voxels; shorter axes are not halved
WINDOW = 1.0  # sigma of the neighbourhood that energy is averaged over, in grid spacings of the level
NEARLY_EQUAL = 1.5  # spacings that differ by no more than this factor are halved together


def fuse_pyramid(inputs: FusionInputs, tick: Tick) -> np.ndarray:
    """Fuse by the details of each scale (Burt and Kolczynski 1993).

    Args:
        inputs: What is fused.
        tick: Told the part that is done.

    Returns:
        (z, y, x) float32.
    """
    plan = levels(inputs.arrays[0].shape, inputs.spacing)
    current, priors, body = list(inputs.arrays), inputs.priors(), inputs.body
    measured, level_priors = [], []
    for number, (spacing, axes) in enumerate(plan):
        coarser = [shrink(array, axes) for array in current]
        details = (array - grow(low, axes, array.shape) for array, low in zip(current, coarser, strict=True))
        measured.append([measure(detail, WINDOW * min(spacing), spacing, body) for detail in details])
        level_priors.append(priors)
        priors = [shrink(p, axes) if isinstance(p, np.ndarray) else p for p in priors]
        if not (body := shrink(body.astype(np.float32), axes) > 0.5).any():
            body = np.ones_like(body)
        current = coarser
        tick(0.5 * (1 - 0.25 ** (number + 1)))  # every level has a fraction of the voxels of the one before
    result = weighted_sum(current, priors)
    coarse_saliences: list[np.ndarray] = []
    for number in reversed(range(len(plan))):
        spacing, axes = plan[number]
        entries = measured.pop()
        for entry, coarse in zip(entries, coarse_saliences):  # noqa: B905 (none at the coarsest level)
            entry.salience += grow(coarse, axes, entry.salience.shape)
        coarse_saliences = [entry.salience for entry in entries]
        result = grow(result, axes, entries[0].detail.shape)
        result += select(entries, level_priors[number], WINDOW * min(spacing), spacing)
        tick(0.5 + 0.5 * 0.25**number)
    return result


def levels(shape: tuple[int, ...], spacing: Spacing) -> list[tuple[Spacing, tuple[int, ...]]]:
    """The levels of the pyramid, fine to coarse.

    Args:
        shape: (z, y, x) in voxels.
        spacing: (z, y, x) in mm.

    Returns:
        For each level its spacing (z, y, x) in mm and the axes that are halved to get to the next.

    >>> levels((48, 128, 128), (3.0, 1.8, 1.8))[0]
    ((3.0, 1.8, 1.8), (1, 2))
    """
    plan: list[tuple[Spacing, tuple[int, ...]]] = []
    while True:
        long = [axis for axis in range(3) if shape[axis] >= SMALLEST]
        if not long or min(spacing[axis] for axis in long) >= COARSEST_MM:
            return plan
        finest = min(spacing[axis] for axis in long)
        axes = tuple(axis for axis in long if spacing[axis] <= NEARLY_EQUAL * finest)
        plan.append((spacing, axes))
        shape = tuple((n + 1) // 2 if axis in axes else n for axis, n in enumerate(shape))
        z, y, x = (mm * 2 if axis in axes else mm for axis, mm in enumerate(spacing))
        spacing = (z, y, x)


def shrink(array: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Smooth with (1 4 6 4 1)/16 and keep every second voxel, along `axes`."""
    return reduce(_halved, axes, array)


def grow(array: np.ndarray, axes: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Back to `shape`, along `axes`, with the same kernel."""
    return reduce(lambda a, axis: _doubled(a, axis, shape[axis]), axes, array)


def _halved(array: np.ndarray, axis: int) -> np.ndarray:
    moved = np.moveaxis(array, axis, 0)
    padded = np.concatenate([moved[:1], moved[:1], moved, moved[-1:], moved[-1:]])
    count = (moved.shape[0] + 1) // 2

    def tap(offset: int) -> np.ndarray:
        return padded[offset : offset + 2 * count - 1 : 2]

    result = tap(2) * np.float32(6 / 16)
    result += (tap(1) + tap(3)) * np.float32(4 / 16)
    result += (tap(0) + tap(4)) * np.float32(1 / 16)
    return np.moveaxis(result, 0, axis)


def _doubled(array: np.ndarray, axis: int, size: int) -> np.ndarray:
    moved = np.moveaxis(array, axis, 0)
    before, after = np.concatenate([moved[:1], moved[:-1]]), np.concatenate([moved[1:], moved[-1:]])
    result = np.empty((size, *moved.shape[1:]), np.float32)
    result[0::2] = (before + after) * np.float32(1 / 8) + moved * np.float32(6 / 8)
    result[1::2] = ((moved + after) * np.float32(0.5))[: size // 2]
    return np.moveaxis(result, 0, axis)
