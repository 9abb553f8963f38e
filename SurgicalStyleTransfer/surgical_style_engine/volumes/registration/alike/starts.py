"""Where the search begins, and how the best of several beginnings is found on a coarse grid.

They are the scanner's coordinates, the centres of the grids, and the centres of what has weight, these also turned.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.errors import InputError

from ..transforms import LinearTransform, centre
from .images import Level, array_of
from .linear import refine, transform_of

TURNED_DEG = 22.0  # about each axis, both ways
FIRST_STEPS, LATER_STEPS = 5, 12
GO_ON = 3  # best starts that are refined further


def best_of_starts(
    fixed: Level, moving: Level, cancelled: Callable[[], bool] | None = None
) -> tuple[LinearTransform, str, int]:
    """Refine every start a little on a coarse level, and the best ones further.

    Args:
        fixed: A coarse level.
        moving: The same of the other image.
        cancelled: Asked at every step.

    Returns:
        The transform that fits best, where it began, and the steps taken.

    Raises:
        InputError: Where the two overlap with none of the starts.
        Cancelled: Once ``cancelled`` says so.
    """
    tried, taken = [], 0
    for name, transform in _starts(fixed, moving):
        better, score, steps = refine(fixed, moving, transform, local=False, steps=FIRST_STEPS, cancelled=cancelled)
        taken += steps
        tried.append((score, name, better))
    tried = sorted(tried, key=lambda entry: -entry[0])[:GO_ON]
    if tried[0][0] <= 0:
        raise InputError("The registration failed: the two volumes do not overlap.")
    refined = []
    for _, name, transform in tried:
        better, score, steps = refine(fixed, moving, transform, local=False, steps=LATER_STEPS, cancelled=cancelled)
        taken += steps
        refined.append((score, name, better))
    _, name, transform = max(refined, key=lambda entry: entry[0])
    return transform, name, taken


def _starts(fixed: Level, moving: Level) -> list[tuple[str, LinearTransform]]:
    """(name, transform) of every start."""
    middles = {
        "scanner": (centre(fixed.plain), centre(fixed.plain)),
        "geometry": (centre(fixed.plain), centre(moving.plain)),
        "moments": (_middle(fixed.weight), _middle(moving.weight)),
    }
    turns = {"": np.eye(3)}
    for axis in range(3):
        for sign in (-1, 1):
            turns[f", turned about {'xyz'[axis]} ({'+-'[sign < 0]})"] = _turn(axis, np.radians(sign * TURNED_DEG))
    starts = []
    for name, (first, second) in middles.items():
        for suffix, turn in turns.items():
            if suffix and name != "moments":
                continue
            shift = np.subtract(second, first)
            starts.append((name + suffix, transform_of(turn, shift, np.asarray(first), False)))
    return starts


def _turn(axis: int, angle: float) -> np.ndarray:
    matrix = np.eye(3)
    one, two = (axis + 1) % 3, (axis + 2) % 3
    matrix[one, one] = matrix[two, two] = np.cos(angle)
    matrix[one, two], matrix[two, one] = -np.sin(angle), np.sin(angle)
    return matrix


def _middle(weight: sitk.Image) -> tuple[float, ...]:
    """Centre of mass, mm LPS."""
    values = array_of(weight).astype(np.float64)
    total = float(values.sum())
    if total <= 0:
        return centre(weight)
    index = [
        float(values.sum(axis=axes) @ np.arange(values.shape[2 - k])) / total
        for k, axes in enumerate(((0, 1), (0, 2), (1, 2)))
    ]
    return weight.TransformContinuousIndexToPhysicalPoint(index)
