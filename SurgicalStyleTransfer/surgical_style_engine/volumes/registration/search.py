"""The search for a transform: a pyramid of both volumes, the best start, and steps uphill on each level.

The pyramid is built in millimetres, axis by axis: scans of 0.5 x 0.5 x 4 mm are shrunk in plane only, where a pyramid
in voxels would leave a handful of thick slices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.errors import Cancelled, InputError

from .similarity import matching, mutual_information, overlap
from .transforms import LinearTransform, as_affine, centre, identity

LEVELS_MM = (6.0, 3.0, 1.5)  # grid of each pyramid level, coarse to fine
MINIMUM_OVERLAP = 0.1  # of the fixed volume's samples that must fall inside the moving volume
Cancel = Callable[[], bool] | None


def pyramid(image: sitk.Image, grids_mm: Sequence[float] = LEVELS_MM) -> list[sitk.Image]:
    """Return the image at each of ``grids_mm``, means of voxels; an axis is never shrunk below 8 voxels."""
    levels = []
    for grid_mm in grids_mm:
        factors = [
            max(1, min(round(grid_mm / spacing), size // 8))
            for size, spacing in zip(image.GetSize(), image.GetSpacing(), strict=True)
        ]
        # Not ITK's Shrink, which takes single voxels, and these half a voxel beside the place that it states wherever
        # size and factor differ in parity: a mean lies exactly in the middle of what it was made of.
        levels.append(sitk.BinShrink(image, factors))
    return levels


def best_start(fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image | None) -> tuple[LinearTransform, str]:
    """Choose where the search begins.

    Returns:
        The best of the scanner's own coordinates, the centres of the two grids, and the centres of mass, and its name:
        "scanner", "geometry" or "moments".

    Raises:
        InputError: Where the volumes do not overlap with any of them.
    """
    candidates = [(identity(fixed), "scanner")]
    for name, centres in (
        ("geometry", (centre(fixed), centre(moving))),
        ("moments", (_centre_of_mass(fixed), _centre_of_mass(moving))),
    ):
        start = sitk.VersorRigid3DTransform()
        start.SetCenter(centres[0])
        start.SetTranslation(np.subtract(centres[1], centres[0]).tolist())
        candidates.append((start, name))
    scored = []
    for transform, name in candidates:
        value = mutual_information(fixed, moving, transform, mask)
        # A sliver of shared background can have high information: weigh by what is covered.
        covered = overlap(fixed, moving, transform, mask)
        if np.isfinite(value) and covered >= MINIMUM_OVERLAP:
            scored.append((value * covered, transform, name))
    if not scored:
        raise InputError("The registration failed: the two volumes do not overlap.")
    _, transform, name = max(scored, key=lambda entry: entry[0])
    return transform, name


def refine_rigid(
    fixed: list[sitk.Image],
    moving: list[sitk.Image],
    start: LinearTransform,
    mask: sitk.Image | None,
    cancelled: Cancel,
) -> tuple[LinearTransform, int]:
    """Improve a rigid transform on all levels, coarse to fine; also return the number of iterations.

    Raises:
        InputError: Where the volumes do not overlap enough.
        Cancelled: Once ``cancelled`` says so.
    """
    transform, iterations = start, 0
    for number, (fixed_level, moving_level) in enumerate(zip(fixed, moving, strict=True)):
        before = transform
        rigid = sitk.VersorRigid3DTransform(before)
        transform, steps = climb(fixed_level, moving_level, rigid, mask, LEVELS_MM[number], cancelled)
        iterations += steps
        # The few samples that a tight mask leaves at a coarse level can lead astray: judge by the next finer one.
        finer = min(number + 1, len(fixed) - 1)
        levels = fixed[finer], moving[finer]
        if not mutual_information(*levels, transform, mask) >= mutual_information(*levels, before, mask):
            transform = before
    return transform, iterations


def refine_affine(
    fixed: list[sitk.Image],
    moving: list[sitk.Image],
    start: LinearTransform,
    mask: sitk.Image | None,
    cancelled: Cancel,
) -> tuple[LinearTransform, int]:
    """Improve a transform by stretch and shear on the finer levels; see ``refine_rigid``."""
    transform, iterations = start, 0
    for number in (1, 2):
        affine = as_affine(transform)
        transform, steps = climb(fixed[number], moving[number], affine, mask, LEVELS_MM[number], cancelled)
        iterations += steps
    return transform, iterations


def climb(
    fixed: sitk.Image,
    moving: sitk.Image,
    transform: LinearTransform,
    mask: sitk.Image | None,
    grid_mm: float,
    cancelled: Cancel,
) -> tuple[LinearTransform, int]:
    """Improve ``transform`` in place on one level; also returns the number of iterations; see ``refine_rigid``."""
    stopped = False
    raised: list[BaseException] = []

    def ask() -> None:
        nonlocal stopped
        try:
            if cancelled is not None and cancelled():
                stopped = True
                method.StopRegistration()
        except BaseException as error:  # through ITK it would come out as a failure of the registration
            raised.append(error)
            method.StopRegistration()

    method = matching(fixed, mask)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=grid_mm / 2,
        minStep=grid_mm / 500,
        numberOfIterations=100,
        relaxationFactor=0.6,
        gradientMagnitudeTolerance=1e-8,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    method.AddCommand(sitk.sitkIterationEvent, ask)
    try:
        method.Execute(fixed, moving)
    except RuntimeError as error:
        if not raised:
            raise InputError("The registration failed: the two volumes do not overlap enough.") from error
    if raised:
        raise raised[0]
    if stopped:
        raise Cancelled("The registration was cancelled.")
    return transform, method.GetOptimizerIteration()


def _centre_of_mass(image: sitk.Image) -> tuple[float, ...]:
    """Centre (LPS mm) of what lies above the minimum. Not ITK's moments, whose threads sum in varying order."""
    weight = sitk.GetArrayViewFromImage(image).astype(np.float64)
    weight -= weight.min()
    total = weight.sum()
    if total == 0:
        return centre(image)
    profiles = (weight.sum(axis=axes) for axes in ((0, 1), (0, 2), (1, 2)))  # along x, y, z
    index = [float(profile @ np.arange(profile.size)) / total for profile in profiles]
    return image.TransformContinuousIndexToPhysicalPoint(index)
