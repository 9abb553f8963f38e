"""A few filters with their scales in mm; arrays are (z, y, x) float32, spacings (z, y, x)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import SimpleITK

Spacing = tuple[float, float, float]
RECURSIVE_FROM = 1.8  # sigma in voxels; the recursive filter is right within 1 % from there on


def gaussian(array: np.ndarray, sigma_mm: float, spacing: Spacing) -> np.ndarray:
    """Gaussian smoothing.

    It takes the discrete kernel along axes where sigma is small, which stays right where it is less than a thick slice,
    and the recursive filter, whose cost does not grow with sigma, along the others.
    """
    import SimpleITK as sitk

    image = _image(array, spacing)
    wide = [axis for axis in range(3) if sigma_mm >= RECURSIVE_FROM * image.GetSpacing()[axis]]
    wide = [axis for axis in wide if image.GetSize()[axis] >= 4]  # what the recursive filter needs
    for axis in wide:
        image = sitk.RecursiveGaussian(image, sigma=sigma_mm, direction=axis)
    variance = [0.0 if axis in wide else sigma_mm**2 for axis in range(3)]
    if any(variance):
        image = sitk.DiscreteGaussian(image, variance, 32, 0.01, True)
    return sitk.GetArrayFromImage(image)


def box_mean(array: np.ndarray, radius_mm: float, spacing: Spacing) -> np.ndarray:
    """Mean over the box of this radius; at the border over the part of it inside. The cost does not grow with it."""
    import SimpleITK as sitk

    radius = [min(round(radius_mm / mm), count - 1) for mm, count in zip(spacing[::-1], array.shape[::-1], strict=True)]
    return sitk.GetArrayFromImage(sitk.BoxMean(_image(array, spacing), radius))


def block_means(array: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Average over blocks of factors (z,y,x) voxels; the last block of an axis may be smaller."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            starts = np.arange(0, array.shape[axis], factor)
            counts = np.diff(np.append(starts, array.shape[axis])).astype(np.float32)
            shape = [-1 if a == axis else 1 for a in range(3)]
            array = np.add.reduceat(array, starts, axis=axis) / counts.reshape(shape)
    return array


def from_blocks(array: np.ndarray, factors: Sequence[int], shape: tuple[int, ...]) -> np.ndarray:
    """Go back from block means to `shape`, linear between the centres of blocks."""
    for axis, (factor, count) in enumerate(zip(factors, shape, strict=True)):
        if factor > 1:
            place = np.clip((np.arange(count) + 0.5) / factor - 0.5, 0, array.shape[axis] - 1)
            before = np.minimum(place.astype(int), max(array.shape[axis] - 2, 0))
            after = np.minimum(before + 1, array.shape[axis] - 1)
            part = (place - before).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
            first = array.take(before, axis)
            array = first + part * (array.take(after, axis) - first)
    return array


def laplacian(array: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Second differences summed over the axes, each divided by its (spacing / finest spacing) squared."""
    finest = min(spacing)
    padded = np.pad(array, 1, mode="edge")
    inner = tuple(slice(1, -1) for _ in range(3))
    result = np.zeros_like(array)
    for axis in range(3):
        before, after = list(inner), list(inner)
        before[axis], after[axis] = slice(None, -2), slice(2, None)
        second = padded[tuple(before)] + padded[tuple(after)] - 2 * array
        result += second * np.float32((finest / spacing[axis]) ** 2)
    return result


def distance_inside(region: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Distance in mm from each voxel of `region` (bool) to the nearest one outside; 0 outside, float32.

    The border of the array is no border of the region.
    """
    import SimpleITK as sitk

    image = _image(region.astype(np.uint8), spacing)
    signed = sitk.SignedMaurerDistanceMap(image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    # The filter measures to the region's outermost voxels; those are one voxel away from what is outside.
    return np.where(region, np.maximum(sitk.GetArrayViewFromImage(signed), 0) + min(spacing), 0).astype(np.float32)


def _image(array: np.ndarray, spacing: Spacing) -> SimpleITK.Image:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(mm) for mm in spacing[::-1]])
    return image
