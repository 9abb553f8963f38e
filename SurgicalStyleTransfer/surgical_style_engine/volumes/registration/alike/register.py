"""Registration of two volumes of one contrast, one of which may be a translation, by a weighted difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

from ..register import float_image
from ..transforms import LARGEST_STRETCH, LinearTransform, stretch
from .deform import composed, deform
from .images import KINDS, Level, levels_of
from .linear import refine
from .starts import best_of_starts

GRIDS_MM = (8.0, 4.0, 2.0)  # of the levels, coarse to fine
AIR = 0.3  # weight of the air beside a body, whose edge shows where it lies
AIR_MM = 10.0  # how far from a body it counts
DEFORMED_FROM = 1  # level on which a displacement is begun


@dataclass(frozen=True, eq=False)
class Weighed:
    """A volume to be compared, and how far each voxel is trusted.

    Attributes:
        volume: Scalar 3-D (1, z, y, x).
        weight: Float32 (z, y, x), 0 or more.
    """

    volume: Volume
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Found:
    """What was found.

    Attributes:
        transform: Points of the fixed volume -> points of the moving one, mm LPS.
        linear: Its rigid or affine part.
        kind: "rigid", "affine" or "deformable"; an affine that would stretch more than scanners do stays rigid.
        displacement: u on a grid of its own, mm LPS, with ``transform`` being x -> linear(x + u(x)); or None.
        correlation: Weighted, of the locally standardised images under the linear part, before any last step.
        initializer: Where the search began.
        steps: Taken in all.
        method: In words, for reports.
    """

    transform: sitk.Transform
    linear: LinearTransform
    kind: str
    displacement: sitk.Image | None
    correlation: float
    initializer: str
    steps: int
    method: str = "weighted difference to a translation"


def register_same_contrast(
    fixed: Weighed, moving: Weighed, kind: str = "rigid", cancelled: Callable[[], bool] | None = None
) -> Found:
    """Lay ``moving`` over ``fixed``.

    Args:
        fixed: On any grid.
        moving: The same.
        kind: One of ``KINDS``.
        cancelled: Asked at every step.

    Raises:
        InputError: For what cannot be registered, and another kind.
        Cancelled: Once ``cancelled`` says so.

    Example:
        >>> blob = np.zeros((1, 24, 24, 24), np.float32)
        >>> blob[0, 8:16, 6:18, 9:15] = 100
        >>> weight = np.ones((24, 24, 24), np.float32)
        >>> there = Volume(blob, (2.0, 2.0, 2.0), (6.0, 0.0, 0.0))
        >>> found = register_same_contrast(Weighed(Volume(blob, (2.0, 2.0, 2.0)), weight), Weighed(there, weight))
        >>> tuple(round(mm) for mm in found.linear.TransformPoint((20.0, 20.0, 20.0)))
        (26, 20, 20)
    """
    if kind not in KINDS:
        raise InputError(f"There is no registration '{kind}'; use {', '.join(KINDS)}.")
    first, second = _levels(fixed, "fixed"), _levels(moving, "moving")
    linear, name, steps = best_of_starts(first[0], second[0], cancelled)
    correlation = 0.0
    for one, other in zip(first[1:], second[1:], strict=True):
        linear, correlation, more = refine(one, other, linear, cancelled=cancelled)
        steps += more
    if kind == "affine":
        wide, score, more = refine(first[-1], second[-1], linear, affine=True, cancelled=cancelled)
        steps += more
        smallest, largest = stretch(wide)
        if score > correlation and 1 / LARGEST_STRETCH <= smallest and largest <= LARGEST_STRETCH:
            return Found(wide, wide, "affine", None, score, name, steps)
    if kind != "deformable":
        return Found(linear, linear, "rigid", None, correlation, name, steps)
    displacement = deform(first[DEFORMED_FROM:], second[DEFORMED_FROM:], linear, cancelled=cancelled)
    return Found(composed(linear, displacement), linear, kind, displacement, correlation, name, steps)


def with_air(weight: np.ndarray, body: np.ndarray, volume: Volume) -> np.ndarray:
    """Weights (z, y, x) of a body, with those of the air around it; body: bool (z, y, x)."""
    near = body
    for axis, (mm, size) in enumerate(zip(volume.spacing[::-1], body.shape, strict=True)):
        near = _widened(near, min(round(AIR_MM / mm), size - 1), axis)
    return np.where(body, weight, np.where(near, np.float32(AIR), np.float32(0))).astype(np.float32)


def _widened(region: np.ndarray, by: int, axis: int) -> np.ndarray:
    """A region (z, y, x) and what lies up to so many voxels beside it along an axis."""
    padding = [(0, 0)] * 3
    padding[axis] = (by + 1, by)
    counted = np.cumsum(np.pad(region, padding), axis=axis, dtype=np.int32)
    size = region.shape[axis]
    ends, begins = (np.take(counted, range(start, start + size), axis) for start in (2 * by + 1, 0))
    return ends > begins


def _levels(weighed: Weighed, role: str) -> list[Level]:
    image = float_image(weighed.volume, role)
    weight = sitk.GetImageFromArray(np.asarray(weighed.weight, np.float32))
    weight.CopyInformation(image)
    return levels_of(image, weight, GRIDS_MM)
