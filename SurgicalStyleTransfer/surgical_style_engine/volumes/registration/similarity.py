"""How well two volumes fit: Mattes mutual information (Mattes et al., IEEE TMI 2003), and how much they overlap.

Samples are drawn with a fixed seed on one thread, so that the same volumes always give the same number.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .transforms import centre

SEED = 20240229
HISTOGRAM_BINS = 40
SAMPLES = 30_000  # per level: enough for a smooth metric, few enough for seconds on one core
COVERED = 0.99  # of a voxel that must lie inside the moving volume's field of view


def mutual_information(
    fixed: sitk.Image,
    moving: sitk.Image,
    transform: sitk.Transform,
    mask: sitk.Image | None = None,
    then: sitk.Transform | None = None,
) -> float:
    """Measure the mutual information of two volumes under a transform.

    Args:
        fixed: Scalar 3-D image.
        moving: Scalar 3-D image, on any grid.
        transform: Points of the fixed image -> points of the moving one, mm LPS.
        mask: Where voxels of the fixed image count, on any grid.
        then: Another transform, from where the first one leads to points of the moving image; of those with many
            parameters ITK would also prepare the derivatives by all of them, which takes minutes.

    Returns:
        Nats, higher is better; NaN where the volumes do not overlap.
    """
    method = matching(fixed, mask)
    method.SetInitialTransform(transform)
    if then is not None:
        method.SetMovingInitialTransform(then)
    method.SetInterpolator(sitk.sitkLinear)
    try:
        return -method.MetricEvaluate(fixed, moving)
    except RuntimeError:  # ITK: all samples map outside the moving image
        return float("nan")


def matching(fixed: sitk.Image, mask: sitk.Image | None) -> sitk.ImageRegistrationMethod:
    """Return ITK's registration method with this metric and its samples set."""
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetNumberOfWorkUnits(1)  # sums of several threads differ in the last digits from run to run
    method.SetMetricAsMattesMutualInformation(HISTOGRAM_BINS)
    # ITK's default takes gradients smoothed over the coarsest spacing, 3 mm and more in thick slices, which led uphill
    # past the best fit; differences between neighbours belong to the metric that is optimised.
    method.SetMetricUseFixedImageGradientFilter(False)
    method.SetMetricUseMovingImageGradientFilter(False)
    method.SetMetricSamplingStrategy(method.RANDOM)
    samples: float = SAMPLES
    if mask is not None:
        method.SetMetricFixedMask(mask)
        inside = sitk.GetArrayViewFromImage(mask).mean()
        samples = SAMPLES / max(float(inside), 1e-3)  # samples outside the mask are dropped
    method.SetMetricSamplingPercentage(min(1.0, samples / fixed.GetNumberOfPixels()), SEED)
    return method


def chance(
    fixed: sitk.Image,
    moving: sitk.Image,
    transform: sitk.Transform,
    mask: sitk.Image | None,
    then: sitk.Transform | None = None,
) -> float:
    """Return the highest mutual information (nats) with the moving volume displaced by a quarter of the fixed one."""
    values = [0.0]
    for axis in range(3):
        for sign in (-1, 1):
            index = [(size - 1) / 2 for size in fixed.GetSize()]
            index[axis] += sign * fixed.GetSize()[axis] / 4
            shift = np.subtract(fixed.TransformContinuousIndexToPhysicalPoint(index), centre(fixed)).tolist()
            displaced = sitk.CompositeTransform([transform, sitk.TranslationTransform(3, shift)])
            values.append(mutual_information(fixed, moving, displaced, mask, then))
    return float(np.nanmax(values))


def overlap(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform, mask: sitk.Image | None) -> float:
    """Return the fraction of the fixed image, or of its mask, that lies in the moving one's field of view."""
    covered = _coverage(fixed, moving, transform) > 0.5
    if mask is not None:
        same_place = sitk.Transform(3, sitk.sitkIdentity)
        region = sitk.Resample(mask, fixed, same_place, sitk.sitkNearestNeighbor, 0)
        covered = covered[sitk.GetArrayFromImage(region).astype(bool)]
    return float(covered.mean()) if covered.size else 0.0


def covered_voxels(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> np.ndarray:
    """Return where the moving image has voxels on the fixed grid: bool (z,y,x)."""
    return _coverage(fixed, moving, transform) > COVERED


def _coverage(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> np.ndarray:
    """1 where the moving volume has voxels on the fixed grid, 0 outside its field of view: float32 (z,y,x)."""
    ones = sitk.Image(moving.GetSize(), sitk.sitkFloat32) + 1
    ones.CopyInformation(moving)
    return sitk.GetArrayFromImage(sitk.Resample(ones, fixed, transform, sitk.sitkLinear, 0.0))
