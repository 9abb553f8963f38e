"""Affine registration of one patient's image onto another's, whatever their contrasts: rough, but in a second.

Tissues of two patients lie within a centimetre of each other after that, which tells a network what is bright where;
see ``pseudo_pairs``. Works on normalised arrays (s, h, w) whose air is -1, as the cache holds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.common.thresholds import BODY_FROM

COARSE_MM = 3.0
AIR = -1.0
BINS = 32
ITERATIONS = 100
BODY_ENDS = (0.5, 99.5)  # percentiles of the body's voxels along an axis: where its box begins and ends
BETTER_THAN_CHANCE = 1.5  # times the mutual information of displaced volumes; brains of two patients reach 3 to 5
LARGEST_STRETCH = 1.6  # along any direction, or its inverse: heads differ by a third, other things by more


@dataclass(frozen=True, eq=False)
class Fit:
    """How one patient's image lies on another's.

    Attributes:
        transform: points of the fixed image -> points of the moving one, mm from the middle of each.
        information: mutual information in nats within the fixed body, higher is better.
        chance: the highest one with the moving image displaced by a quarter of the fixed one.
        stretch: smallest and largest scale along any direction.
    """

    transform: sitk.AffineTransform
    information: float
    chance: float
    stretch: tuple[float, float]

    @property
    def plausible(self) -> bool:
        """Whether something common was found, and nothing was pulled out of shape for it."""
        fits = self.information > BETTER_THAN_CHANCE * self.chance
        return fits and self.stretch[0] > 1 / LARGEST_STRETCH and self.stretch[1] < LARGEST_STRETCH


def fit_affine(fixed: sitk.Image, moving: sitk.Image) -> Fit:
    """Find the affine transform of most mutual information, beginning with the bodies' boxes laid on each other.

    Args:
        fixed: as ``coarse`` gives it.
        moving: the same.

    Returns:
        The fit; always the same for the same images.

    Raises:
        RuntimeError: ITK's, where nothing overlaps.
    """
    transform = _boxes_matched(fixed, moving)
    method = _matching(fixed)
    method.SetInitialTransform(transform, inPlace=True)
    method.SetOptimizerAsRegularStepGradientDescent(
        2.0, 0.02, ITERATIONS, relaxationFactor=0.6, gradientMagnitudeTolerance=1e-8
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([1, 0])
    method.Execute(fixed, moving)
    scales = np.linalg.svd(np.reshape(transform.GetMatrix(), (3, 3)), compute_uv=False)
    information = _information(fixed, moving, transform)
    return Fit(transform, information, _chance(fixed, moving, transform), (float(scales[-1]), float(scales[0])))


def centred(array: np.ndarray, slice_mm: float, pixel_mm: float) -> sitk.Image:
    """An array (s, h, w) as an image whose middle is the origin."""
    image = sitk.GetImageFromArray(np.asarray(array, np.float32))
    image.SetSpacing((pixel_mm, pixel_mm, slice_mm))
    image.SetOrigin([-0.5 * (n - 1) * mm for n, mm in zip(image.GetSize(), image.GetSpacing(), strict=True)])
    return image


def coarse(image: sitk.Image) -> sitk.Image:
    """A smoothed image on a grid of COARSE_MM."""
    size = [max(4, round(n * mm / COARSE_MM)) for n, mm in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    grid = centred(np.zeros(size[::-1]), COARSE_MM, COARSE_MM)
    if min(image.GetSize()) >= 4:
        image = sitk.SmoothingRecursiveGaussian(image, [0.4 * COARSE_MM] * 3)
    return sitk.Resample(image, grid, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkLinear, AIR)


def laid_on(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> tuple[np.ndarray, np.ndarray]:
    """The moving image on the fixed grid (s, h, w) float32, and where its field of view covers that (bool)."""
    warped = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, transform, sitk.sitkLinear, AIR))
    ones = sitk.Image(moving.GetSize(), sitk.sitkFloat32) + 1
    ones.CopyInformation(moving)
    covered = sitk.GetArrayFromImage(sitk.Resample(ones, fixed, transform, sitk.sitkLinear, 0.0)) > 0.99
    return warped, covered


def _body(image: sitk.Image) -> sitk.Image:
    return image > BODY_FROM


def _boxes_matched(fixed: sitk.Image, moving: sitk.Image) -> sitk.AffineTransform:
    (middle, size), (other_middle, other_size) = _box(fixed), _box(moving)
    transform = sitk.AffineTransform(3)
    transform.SetCenter(middle.tolist())
    transform.SetTranslation((other_middle - middle).tolist())
    transform.SetMatrix(np.diag(np.clip(other_size / size, 1 / LARGEST_STRETCH, LARGEST_STRETCH)).ravel().tolist())
    return transform


def _box(image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Middle and size of the body's box (x, y, z) in mm; of the whole image where there is no body."""
    places = np.argwhere(sitk.GetArrayFromImage(_body(image)))
    if len(places) == 0:
        places = np.array([[0, 0, 0], np.subtract(image.GetSize(), 1)[::-1]])
    low, high = np.percentile(places, BODY_ENDS, axis=0)[:, ::-1]
    ends = [np.array(image.TransformContinuousIndexToPhysicalPoint(end.tolist())) for end in (low, high)]
    return (ends[0] + ends[1]) / 2, np.maximum(ends[1] - ends[0], COARSE_MM)


def _matching(fixed: sitk.Image) -> sitk.ImageRegistrationMethod:
    """Mutual information (Mattes et al., IEEE TMI 2003) of all voxels in and just around the fixed body."""
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetNumberOfWorkUnits(1)  # sums of several threads differ in the last digits from run to run
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetMetricFixedMask(sitk.BinaryDilate(_body(fixed), [2, 2, 2]))
    return method


def _information(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> float:
    method = _matching(fixed)
    method.SetInitialTransform(transform)
    try:
        return -float(method.MetricEvaluate(fixed, moving))
    except RuntimeError:  # ITK: all voxels map outside the moving image
        return 0.0


def _chance(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> float:
    """The highest mutual information with the moving image displaced by a quarter of the fixed body, in six ways."""
    _, size = _box(fixed)
    values = []
    for axis in range(3):
        for sign in (-1, 1):
            shift = np.zeros(3)
            shift[axis] = sign * size[axis] / 4
            moved = sitk.CompositeTransform([transform, sitk.TranslationTransform(3, shift.tolist())])
            values.append(_information(fixed, moving, moved))
    return max(values)
