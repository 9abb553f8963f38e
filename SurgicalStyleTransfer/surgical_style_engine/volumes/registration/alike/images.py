"""Images made ready for a comparison by difference: at a few resolutions, with weights, and in local tone.

A translation has the other contrast, but not its very tone, and both have bias fields. So images are compared after
local standardisation: less the mean of their surroundings, divided by the standard deviation there. The squared
difference of such images is 2 - 2 r with their local correlation r (Lewis, Vision Interface 1995; for registration
Cachier and Pennec, MMBIA 2000), but is quick, as it is done once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

KINDS = ("rigid", "affine", "deformable")  # of transforms
SURROUNDINGS_MM = 12.0  # Gaussian of what local tone is measured in
LEAST_DEVIATION = 0.1  # of the whole image's deviation, below which a region counts as even
SMALLEST_AXIS = 8  # voxels


@dataclass(frozen=True, eq=False)
class Level:
    """An image at one resolution.

    Attributes:
        plain: Float32, as it is.
        local: The same, locally standardised.
        weight: Float32 on the same grid, how far each voxel is trusted; 0 where nothing is known.
    """

    plain: sitk.Image
    local: sitk.Image
    weight: sitk.Image


def levels_of(image: sitk.Image, weight: sitk.Image, grids_mm: tuple[float, ...]) -> list[Level]:
    """Prepare an image.

    Args:
        image: Scalar float32 3-D.
        weight: Float32 on the same grid, 0 or more.
        grids_mm: Of the levels, coarse to fine.

    Returns:
        One level a grid; an axis is never shrunk below SMALLEST_AXIS voxels.
    """
    levels: list[Level] = []
    plain, share = image, weight
    for grid_mm in reversed(grids_mm):  # each from the finer one before: nothing large is smoothed twice
        plain, share = shrunk(plain, grid_mm), shrunk(share, grid_mm)
        levels.insert(0, Level(plain, _standardised(plain, share), share))
    return levels


def array_of(image: sitk.Image) -> np.ndarray:
    """Its voxels (z, y, x), a copy."""
    return sitk.GetArrayFromImage(image)


def like(array: np.ndarray, image: sitk.Image) -> sitk.Image:
    """An array (z, y, x) or (z, y, x, 3) on the grid of an image."""
    result = sitk.GetImageFromArray(array, isVector=array.ndim == 4)
    result.CopyInformation(image)
    return result


def smooth(image: sitk.Image, sigma_mm: float) -> sitk.Image:
    """Gaussian smoothing along every axis that is long enough for it."""
    for axis, size in enumerate(image.GetSize()):
        if size >= 4 and sigma_mm > 0:
            image = sitk.RecursiveGaussian(image, sigma=sigma_mm, direction=axis)
    return image


def inner(weights: np.ndarray) -> np.ndarray:
    """Weights (z, y, x) of the voxels whose neighbours along the axes have weight too; a gradient needs these."""
    known = weights > 0
    kept = known.copy()
    for axis in range(3):
        for step in (-1, 1):
            beside = np.roll(known, step, axis)
            edge: list[slice | int] = [slice(None)] * 3
            edge[axis] = 0 if step == 1 else -1
            beside[tuple(edge)] = True
            kept &= beside
    return np.where(kept, weights, 0)


def shrunk(image: sitk.Image, grid_mm: float) -> sitk.Image:
    """Smooth an image and take every so many voxels, to a grid of about ``grid_mm``; every voxel stays in its place."""
    for axis, (size, spacing) in enumerate(zip(image.GetSize(), image.GetSpacing(), strict=True)):
        factor = max(1, min(round(grid_mm / spacing), size // SMALLEST_AXIS))
        if factor > 1:  # axis by axis: what follows has less to do
            image = sitk.RecursiveGaussian(image, sigma=0.5 * factor * spacing, direction=axis)
            # Not ITK's Shrink, which states a place half a voxel beside the voxel taken where factor and size are even.
            taken = [slice(None)] * 3
            taken[axis] = slice((factor - 1) // 2, None, factor)
            image = image[tuple(taken)]
    return image


def _standardised(image: sitk.Image, weight: sitk.Image) -> sitk.Image:
    """Less the local mean, divided by the local deviation, both of all that has any weight."""
    # Not by weight: both images have to be measured against the same surroundings.
    values, shares = array_of(image).astype(np.float64), (array_of(weight) > 0).astype(np.float64)
    if not shares.any():
        return sitk.Image(image.GetSize(), sitk.sitkFloat32)
    mean = float(np.average(values, weights=shares))
    values -= mean
    deviation = float(np.sqrt(np.average(values**2, weights=shares))) or 1.0
    values /= deviation
    known = shares > 0
    total = array_of(smooth(like(shares, image), SURROUNDINGS_MM)) + 1e-6
    local = array_of(smooth(like(shares * values, image), SURROUNDINGS_MM)) / total
    square = array_of(smooth(like(shares * values**2, image), SURROUNDINGS_MM)) / total
    spread = np.sqrt(np.maximum(square - local**2, 0) + LEAST_DEVIATION**2)
    return like(np.where(known, (values - local) / spread, 0).astype(np.float32), image)
