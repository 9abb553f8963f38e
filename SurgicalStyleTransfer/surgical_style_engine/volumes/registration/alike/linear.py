"""Rigid and affine registration by weighted, robust least squares.

Each step solves for the motion that explains the difference of the two images to first order, with the mean of both
images' gradients (efficient second-order minimisation: Benhimane and Malis, IJRR 2007; Vercauteren et al., MICCAI
2007), voxels weighed by trust and, where they differ more than most, less (Geman and McClure, 1985).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.errors import Cancelled

from ..transforms import LinearTransform, as_affine
from .images import Level, array_of, inner

MOST_STEPS = 20  # on a level
STILL_MM = 0.01  # mean motion of a step, of the grid, below which a level is done
LARGEST_STEP = 2.0  # grids that a voxel of the body moves in one step, at most
LEAST_OVERLAP = 0.3  # of the fixed image's weight that must lie in the moving image
LOST = 0.02  # of correlation below the best one that was met, from where a step has lost its way
ROBUST = 2.5  # deviations from where a difference counts less


@dataclass(frozen=True, eq=False)
class Points:
    """The voxels of a fixed image that count.

    Attributes:
        inside: Bool (z, y, x).
        offsets: (n, 3) mm from the centre.
        centre: (3,) mm LPS.
        values: (n,).
        weights: (n,).
        gradients: (n, 3) of the image, a mm, LPS.
        grid_mm: Mean voxel size.
    """

    inside: np.ndarray
    offsets: np.ndarray
    centre: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    gradients: np.ndarray
    grid_mm: float


def points_of(fixed: Level, local: bool) -> Points:
    """The voxels of a level that have weight."""
    image = fixed.local if local else fixed.plain
    weights = inner(array_of(fixed.weight))
    inside = weights > 0
    index = np.argwhere(inside)[:, ::-1]
    spacing, direction = np.array(image.GetSpacing()), np.array(image.GetDirection()).reshape(3, 3)
    places = np.array(image.GetOrigin()) + (index * spacing) @ direction.T
    centre = np.average(places, axis=0, weights=weights[inside])
    values = array_of(image)
    return Points(
        inside,
        places - centre,
        centre,
        values[inside].astype(np.float64),
        weights[inside].astype(np.float64),
        _gradients(values, image, inside),
        float(np.prod(spacing)) ** (1 / 3),
    )


def refine(
    fixed: Level,
    moving: Level,
    start: LinearTransform,
    *,
    affine: bool = False,
    local: bool = True,
    steps: int = MOST_STEPS,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[LinearTransform, float, int]:
    """Improve a transform on one level.

    Args:
        fixed: The one whose points are mapped.
        moving: The other.
        start: Points of the fixed image -> points of the moving one, mm LPS.
        affine: With stretch and shear.
        local: Compare locally standardised images, not plain ones.
        steps: How many at most.
        cancelled: Asked at every step.

    Returns:
        The best transform that was met, its weighted correlation (-1 where too little overlaps), and the steps taken.

    Raises:
        Cancelled: Once ``cancelled`` says so.
    """
    points = points_of(fixed, local)
    image = moving.local if local else moving.plain
    matrix, shift = _about(start, points.centre)
    best = (-2.0, matrix, shift)
    taken = 0
    while taken < steps:
        taken += 1
        if cancelled is not None and cancelled():
            raise Cancelled("The registration was cancelled.")
        step, score = _step(points, image, moving.weight, fixed, (matrix, shift), affine)
        # Where voxels that differ count less, the last step is the best one, unless it has lost its way.
        if score > best[0] - LOST:
            best = max(score, best[0]), matrix, shift
        if step is None:
            break
        turn, move, moved_mm = step
        shift = shift + matrix @ move
        matrix = matrix @ (np.eye(3) + turn)
        matrix = matrix if affine else _rotation(matrix)
        if moved_mm < STILL_MM * points.grid_mm:
            break
    score, matrix, shift = best
    return transform_of(matrix, shift, points.centre, affine), score, taken


def transform_of(matrix: np.ndarray, shift: np.ndarray, centre: np.ndarray, affine: bool) -> LinearTransform:
    """The transform of x to matrix (x - centre) + centre + shift."""
    transform: LinearTransform = sitk.VersorRigid3DTransform()
    transform.SetCenter(centre.tolist())
    if affine:
        transform = as_affine(transform)
    transform.SetMatrix(np.asarray(matrix).ravel().tolist())
    transform.SetTranslation(np.asarray(shift).tolist())
    return transform


def _about(transform: LinearTransform, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    matrix = np.array(transform.GetMatrix()).reshape(3, 3)
    return matrix, np.array(transform.TransformPoint(centre.tolist())) - centre


def _rotation(matrix: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd(matrix)
    return left @ right


def _step(
    points: Points,
    image: sitk.Image,
    weight: sitk.Image,
    fixed: Level,
    place: tuple[np.ndarray, np.ndarray],
    affine: bool,
) -> tuple[tuple[np.ndarray, np.ndarray, float] | None, float]:
    """((turn or stretch (3, 3), move (3,), mean motion in mm) or None, weighted correlation as it is)."""
    transform = transform_of(*place, points.centre, True)
    moved = array_of(sitk.Resample(image, fixed.plain, transform, sitk.sitkLinear, 0.0))
    trust = inner(array_of(sitk.Resample(weight, fixed.plain, transform, sitk.sitkLinear, 0.0)))[points.inside]
    weights = points.weights * trust
    total = weights.sum()
    if total < LEAST_OVERLAP * points.weights.sum() * max(float(trust.max()), 1e-9):
        return None, -1.0
    values = moved[points.inside].astype(np.float64)
    mean, other = (weights @ each / total for each in (points.values, values))
    first, second = points.values - mean, values - other
    power, cross = weights @ second**2, weights @ (first * second)
    score = float(cross / np.sqrt(max(power * (weights @ first**2), 1e-30)))
    slope = cross / max(power, 1e-30)
    if slope <= 0:
        return None, score
    rest = first - slope * second
    spread = 1.48 * np.sqrt(max(weights @ np.minimum(rest**2, np.percentile(rest**2, 75)) / total, 1e-12))
    weights = weights / (1 + (rest / (ROBUST * spread)) ** 2) ** 2
    gradients = 0.5 * (points.gradients + slope * _gradients(moved, fixed.plain, points.inside))
    return _solved(points, gradients, rest, weights, affine), score


def _solved(
    points: Points, gradients: np.ndarray, rest: np.ndarray, weights: np.ndarray, affine: bool
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """The motion before the transform that explains ``rest`` to first order."""
    offsets = points.offsets
    if affine:
        turning = (gradients[:, :, None] * offsets[:, None, :]).reshape(-1, 9)
    else:
        turning = np.cross(offsets, gradients)
    system = np.concatenate([turning, gradients], axis=1)
    weighed = system * weights[:, None]
    normal = system.T @ weighed
    normal[np.diag_indices_from(normal)] *= 1 + 1e-6
    try:
        solution = np.linalg.solve(normal, weighed.T @ rest)
    except np.linalg.LinAlgError:
        return None
    move = solution[-3:]
    turn = solution[:9].reshape(3, 3) if affine else _cross(solution[:3])
    moves = np.linalg.norm(offsets[::7] @ turn.T + move, axis=1)
    longest = float(np.percentile(moves, 95))
    scale = min(1.0, LARGEST_STEP * points.grid_mm / max(longest, 1e-12))
    return turn * scale, move * scale, float(moves.mean()) * scale


def _cross(vector: np.ndarray) -> np.ndarray:
    x, y, z = vector
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def _gradients(values: np.ndarray, image: sitk.Image, inside: np.ndarray) -> np.ndarray:
    """(n, 3) a mm, LPS."""
    spacing, direction = image.GetSpacing()[::-1], np.array(image.GetDirection()).reshape(3, 3)
    parts = [np.gradient(values, mm, axis=axis)[inside] for axis, mm in enumerate(spacing)]
    return np.stack(parts[::-1], axis=1).astype(np.float64) @ direction.T
