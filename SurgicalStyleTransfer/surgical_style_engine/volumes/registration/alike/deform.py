"""A smooth displacement on top of a linear transform, by local least squares.

At every voxel the displacement is sought that explains the difference of the two images in its surroundings to first
order (Lucas and Kanade, IJCAI 1981; in pyramids Bouguet, 2000), with weights as in ``linear``. Where the surroundings
say nothing, smoothness decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.errors import Cancelled

from ..transforms import LinearTransform
from .images import Level, array_of, inner, like, smooth

STEPS = (6, 6, 4)  # on each level, coarse to fine
WINDOWS = (2.2, 2.2, 2.2)  # Gaussian of the surroundings, in voxels
SMOOTH_MM = 6.0  # Gaussian of the displacement after every step
STIFFNESS = 0.05  # of the mean squared gradient, added to every direction
ROBUST = 2.5  # deviations from where a difference counts less
LARGEST_STEP = 1.0  # voxels
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@dataclass(frozen=True)
class Smoothness:
    """How smooth a displacement is sought.

    Attributes:
        windows: Gaussian of the surroundings, in voxels, on each level.
        field_mm: Gaussian of the displacement after every step.
        stiffness: Share of the mean squared gradient that is added to every direction.
        steps: On each level.
    """

    windows: tuple[float, ...] = WINDOWS
    field_mm: float = SMOOTH_MM
    stiffness: float = STIFFNESS
    steps: tuple[int, ...] = STEPS


def deform(
    fixed: list[Level],
    moving: list[Level],
    start: LinearTransform,
    smoothness: Smoothness | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> sitk.Image:
    """Find the displacement u for which x -> start(x + u(x)) lays the images over each other.

    Args:
        fixed: Levels, coarse to fine.
        moving: The same of the other image.
        start: Points of the fixed image -> points of the moving one, mm LPS.
        smoothness: How smooth it is to be.
        cancelled: Asked at every step.

    Returns:
        The displacement on the grid of the finest fixed level, a vector image of float64, mm LPS.

    Raises:
        Cancelled: Once ``cancelled`` says so.
    """
    asked = smoothness or Smoothness()
    field: np.ndarray | None = None
    frame = fixed[0].plain
    for number, (one, other) in enumerate(zip(fixed, moving, strict=True)):
        field = np.zeros((*array_of(one.plain).shape, 3)) if field is None else _onto(field, frame, one.plain)
        frame = one.plain
        for _ in range(asked.steps[number]):
            if cancelled is not None and cancelled():
                raise Cancelled("The registration was cancelled.")
            field = field + _step(one, other, start, field, asked, asked.windows[number])
            field = _smoothed(field, frame, asked.field_mm)
    assert field is not None  # there is at least one level
    return like(field, frame)


def composed(start: LinearTransform, displacement: sitk.Image) -> sitk.CompositeTransform:
    """X -> start(x + u(x)); the displacement is 0 outside of its grid."""
    return sitk.CompositeTransform([start, sitk.DisplacementFieldTransform(sitk.Image(displacement))])


def _step(
    fixed: Level, moving: Level, start: LinearTransform, field: np.ndarray, asked: Smoothness, window: float
) -> np.ndarray:
    """(z, y, x, 3) mm that the displacement changes by."""
    frame = fixed.local
    transform = composed(start, like(field, frame))
    moved = array_of(sitk.Resample(moving.local, frame, transform, sitk.sitkLinear, 0.0))
    trust = array_of(sitk.Resample(moving.weight, frame, transform, sitk.sitkLinear, 0.0))
    values, weights = array_of(frame), inner(array_of(fixed.weight)) * inner(trust)
    rest = values - moved
    known = weights > 0
    if not known.any():
        return np.zeros_like(field)
    spread = 1.48 * float(np.sqrt(np.median(rest[known] ** 2))) + 1e-6
    weights = weights / (1 + (rest / (ROBUST * spread)) ** 2) ** 2
    gradients = _gradients(0.5 * (values + moved), frame)
    mm = float(np.prod(frame.GetSpacing())) ** (1 / 3)
    normal = np.empty((*rest.shape, 3, 3), np.float32)
    right = np.empty((*rest.shape, 3), np.float32)
    for i, j in PAIRS:
        normal[..., i, j] = normal[..., j, i] = _window(weights * gradients[i] * gradients[j], frame, window * mm)
    for i in range(3):
        right[..., i] = _window(weights * gradients[i] * rest, frame, window * mm)
    least = asked.stiffness * float(np.mean([normal[..., i, i][known].mean() for i in range(3)]))
    for i in range(3):
        normal[..., i, i] += max(least, 1e-12)
    change = np.linalg.solve(normal, right[..., None])[..., 0].astype(np.float64)
    length = np.linalg.norm(change, axis=-1, keepdims=True)
    return change * np.minimum(1, LARGEST_STEP * mm / np.maximum(length, 1e-12))


def _window(array: np.ndarray, frame: sitk.Image, sigma_mm: float) -> np.ndarray:
    return array_of(smooth(like(array.astype(np.float32), frame), sigma_mm))


def _smoothed(field: np.ndarray, frame: sitk.Image, sigma_mm: float) -> np.ndarray:
    return np.stack(
        [array_of(smooth(like(np.ascontiguousarray(field[..., k]), frame), sigma_mm)) for k in range(3)], axis=-1
    ).astype(np.float64)


def _onto(field: np.ndarray, frame: sitk.Image, finer: sitk.Image) -> np.ndarray:
    """The displacement on another grid; beyond its own, that of its border."""
    place = sitk.Transform(3, sitk.sitkIdentity)
    source = like(field, frame)
    resample = sitk.ResampleImageFilter()
    resample.SetReferenceImage(finer)
    resample.SetTransform(place)
    resample.SetInterpolator(sitk.sitkLinear)
    resample.SetUseNearestNeighborExtrapolator(True)
    return array_of(resample.Execute(source)).astype(np.float64)


def _gradients(values: np.ndarray, frame: sitk.Image) -> list[np.ndarray]:
    """Three arrays (z, y, x), a mm along x, y, z of the patient (LPS)."""
    direction = np.array(frame.GetDirection()).reshape(3, 3)
    parts = [np.gradient(values, mm, axis=axis) for axis, mm in enumerate(frame.GetSpacing()[::-1])][::-1]
    return [sum(direction[k, m] * parts[m] for m in range(3)) for k in range(3)]
