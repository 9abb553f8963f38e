"""Rigid or affine registration of two volumes of one patient, whatever their contrasts.

Mattes mutual information (Mattes et al., IEEE TMI 2003) over a versor rigid transform, optimised coarse to
fine by SimpleITK. The pyramid is built in millimetres, axis by axis: scans of 0.5 x 0.5 x 4 mm are shrunk in
plane only, where a pyramid in voxels would leave a handful of thick slices. Samples are drawn with a fixed
seed on one thread, so that the same volumes always give the same transform. An affine transform is refined from the
rigid one, and kept only if it fits better without stretching anything beyond what scanners do.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.errors import Cancelled, InputError, StyleTransferError

from .volume import Volume

LEVELS_MM = (6.0, 3.0, 1.5)  # grid of each pyramid level, coarse to fine
SEED = 20240229
HISTOGRAM_BINS = 40
SAMPLES = 30_000  # per level: enough for a smooth metric, few enough for seconds on one core
TRANSFORM_ENDINGS = (".tfm", ".txt", ".h5")
LARGEST_STRETCH = 1.15  # of an affine transform along any direction; gradient errors of scanners are a few per cent
BETTER_THAN_CHANCE = 1.5  # times the mutual information of displaced volumes; real pairs reach 2.2 to 8, noise 1
NOTHING_COMMON = "the registration found nothing that they have in common"
MINIMUM_OVERLAP = 0.1  # of the fixed volume's samples that must fall inside the moving volume


@dataclass(frozen=True, eq=False)
class RegistrationResult:
    """What a registration found.

    transform: rigid or affine, maps points of the fixed volume (LPS, mm) to points of the moving volume, as
    `SimpleITK.Resample` and `.tfm` files expect it. moved: the moving volume on the fixed volume's grid.
    metric, metric_before: Mattes mutual information in nats, higher is better; before means in the
    coordinates the scanner wrote, NaN where these do not overlap. overlap: fraction of the fixed volume
    (or of its mask) covered by the moving one. coverage: bool (z,y,x) on the fixed grid, where the moving volume
    has voxels; compare nothing outside. translation_mm: how far the centre of the fixed grid moves. kind: of the
    transform, "rigid" or "affine". stretch: smallest and largest scale of the transform along any direction, 1 and 1
    for a rigid one. chance: the metric that the moving volume has elsewhere, displaced by a quarter of the fixed one;
    a metric that is hardly higher means that nothing common was found.
    """

    transform: sitk.Transform
    moved: Volume
    metric: float
    metric_before: float
    iterations: int
    initializer: str
    overlap: float
    coverage: np.ndarray
    rotation_deg: float
    translation_mm: float
    kind: str = "rigid"
    stretch: tuple[float, float] = (1.0, 1.0)
    chance: float = 0.0

    @property
    def found_common(self) -> bool:
        """Whether the fit is better than what volumes that have nothing in common reach as well."""
        return self.metric > BETTER_THAN_CHANCE * self.chance

    def figures(self) -> dict:
        """The numbers for a report."""
        names = (
            "metric",
            "metric_before",
            "chance",
            "found_common",
            "iterations",
            "initializer",
            "overlap",
            "rotation_deg",
            "translation_mm",
            "stretch",
        )
        return {"method": f"{self.kind}, Mattes mutual information", **{name: getattr(self, name) for name in names}}


def register_rigid(
    fixed: Volume,
    moving: Volume,
    mask: np.ndarray | None = None,
    default: float | None = None,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> RegistrationResult:
    """Find the rigid motion that lays `moving` over `fixed` and resample `moving` there (linear).

    fixed, moving: scalar 3-D volumes (1,z,y,x), any grids and contrasts. mask: bool (z,y,x) or (1,z,y,x) on the
    fixed grid; only voxels inside count. default: value outside the moving field of view (its minimum if None).
    cancelled: asked at every iteration; Cancelled is raised once it says so.

    Starts from the best of: the scanner's own coordinates, the centres of the two grids, the centres of mass.
    Raises InputError when a volume cannot be registered (constant, flat, colour) or when the two share nothing.
    """
    return _register(fixed, moving, mask, default, "rigid", cancelled)


def register_affine(
    fixed: Volume,
    moving: Volume,
    mask: np.ndarray | None = None,
    default: float | None = None,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> RegistrationResult:
    """The same as `register_rigid` with stretch and shear, for scanners whose millimetres differ.

    The result stays rigid (see its `kind`) where an affine transform fits no better, or only by stretching some
    direction by more than LARGEST_STRETCH.
    """
    return _register(fixed, moving, mask, default, "affine", cancelled)


def _register(
    fixed: Volume,
    moving: Volume,
    mask: np.ndarray | None,
    default: float | None,
    kind: str,
    cancelled: Callable[[], bool] | None,
) -> RegistrationResult:
    fixed_image, moving_image = _float_image(fixed, "fixed"), _float_image(moving, "moving")
    mask_image = None if mask is None else _mask_image(mask, fixed_image)
    fixed_levels, moving_levels = _pyramid(fixed_image), _pyramid(moving_image)

    initial, name = _best_start(fixed_levels[0], moving_levels[0], mask_image)
    transform, iterations = initial, 0
    for number, (fixed_level, moving_level) in enumerate(zip(fixed_levels, moving_levels, strict=True)):
        start = transform
        transform, steps = _optimise(
            fixed_level, moving_level, sitk.VersorRigid3DTransform(start), mask_image, LEVELS_MM[number], cancelled
        )
        iterations += steps
        # The few samples that a tight mask leaves at a coarse level can lead astray: judge by the next finer one.
        finer = min(number + 1, len(LEVELS_MM) - 1)
        levels = fixed_levels[finer], moving_levels[finer]
        if not mutual_information(*levels, transform, mask_image) >= mutual_information(*levels, start, mask_image):
            transform = start
    rigid = transform

    # All candidates are judged on the finest level with the same samples.
    finest = fixed_levels[-1], moving_levels[-1]
    before = mutual_information(*finest, _identity(finest[0]), mask_image)
    candidates = [
        (rigid, name),
        (initial, f"{name}, not improved"),
        (_identity(finest[0]), "scanner, not improved"),
    ]
    if kind == "affine":
        for number in (1, 2):
            levels = fixed_levels[number], moving_levels[number]
            transform, steps = _optimise(*levels, _affine(transform), mask_image, LEVELS_MM[number], cancelled)
            iterations += steps
        smallest, largest = _stretch(transform)
        if 1 / LARGEST_STRETCH <= smallest and largest <= LARGEST_STRETCH:
            candidates.insert(0, (transform, name))
    scored = [(mutual_information(*finest, t, mask_image), t, n) for t, n in candidates]
    scored = [entry for entry in scored if np.isfinite(entry[0])]
    if not scored:
        raise InputError("The registration failed: the two volumes do not overlap.")
    value, transform, name = max(scored, key=lambda entry: entry[0])
    covered = _overlap(fixed_levels[0], moving_levels[0], transform, mask_image)
    if covered < MINIMUM_OVERLAP:
        raise InputError(f"The registration failed: the volumes overlap by {100 * covered:.0f} % only.")

    if default is None:
        default = float(moving.array.min())
    moved_image = sitk.Resample(moving_image, fixed_image, transform, sitk.sitkLinear, default, sitk.sitkFloat32)
    return RegistrationResult(
        transform=transform,
        moved=replace(fixed, array=sitk.GetArrayFromImage(moved_image)[None], metadata=dict(moving.metadata)),
        metric=value,
        metric_before=before,
        iterations=iterations,
        initializer=name,
        overlap=covered,
        coverage=_coverage(fixed_image, moving_image, transform) > 0.99,
        rotation_deg=_angle(transform),
        translation_mm=_shift_of_centre(transform, fixed_image),
        kind="affine" if isinstance(transform, sitk.AffineTransform) else "rigid",
        stretch=_stretch(transform),
        chance=_chance(*finest, transform, mask_image),
    )


def mutual_information(
    fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform, mask: sitk.Image | None = None
) -> float:
    """Mattes mutual information in nats (higher is better); NaN where the volumes do not overlap."""
    method = _metric(fixed, mask)
    method.SetInitialTransform(transform)
    method.SetInterpolator(sitk.sitkLinear)
    try:
        return -method.MetricEvaluate(fixed, moving)
    except RuntimeError:  # ITK: all samples map outside the moving image
        return float("nan")


def write_transform(transform: sitk.Transform, path: str | Path) -> None:
    """Write `transform` (TRANSFORM_ENDINGS), whole or not at all; Slicer loads it as a linear transform.

    InputError for another ending, StyleTransferError when it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in TRANSFORM_ENDINGS:
        raise InputError(f"The transform {path.name} needs one of the endings {', '.join(TRANSFORM_ENDINGS)}.")
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        sitk.WriteTransform(transform, str(partial))
        # ITK's writers do not notice a full disk: only what reads back as the transform may take the name.
        found = sitk.ReadTransform(str(partial))
        for wanted, got in (
            (transform.GetParameters(), found.GetParameters()),
            (transform.GetFixedParameters(), found.GetFixedParameters()),
        ):
            if len(wanted) != len(got) or not np.allclose(wanted, got, rtol=1e-9, atol=1e-12):
                raise RuntimeError("incomplete file")
        os.replace(partial, path)
    except (RuntimeError, OSError) as error:
        raise StyleTransferError(f"Cannot write the transform {path}: no room or no right to write there.") from error
    finally:
        partial.unlink(missing_ok=True)


def _float_image(volume: Volume, role: str) -> sitk.Image:
    if volume.is_2d or volume.channels != 1:
        raise InputError(f"Registration needs scalar 3-D volumes, but the {role} one is 2-D or in colour.")
    if min(volume.array.shape[1:]) < 4:
        raise InputError(f"The {role} volume is too thin to register: every axis needs at least 4 voxels.")
    if not np.all(np.isfinite(volume.array)):
        raise InputError(f"The {role} volume has NaN or infinite voxels.")
    if volume.array.min() == volume.array.max():
        raise InputError(f"The {role} volume is constant: there is nothing to register.")
    return sitk.Cast(volume.to_sitk(), sitk.sitkFloat32)


def _mask_image(mask: np.ndarray, fixed: sitk.Image) -> sitk.Image:
    array = np.asarray(mask).astype(bool)
    array = array[0] if array.ndim == 4 else array
    if array.shape != fixed.GetSize()[::-1]:
        raise InputError(f"The mask has shape {array.shape}, the fixed volume {fixed.GetSize()[::-1]}.")
    if not array.any():
        raise InputError("The registration mask is empty.")
    image = sitk.GetImageFromArray(array.astype(np.uint8))
    image.CopyInformation(fixed)
    return image


def _pyramid(image: sitk.Image) -> list[sitk.Image]:
    """`image` at each of LEVELS_MM, anti-aliased; an axis is never shrunk below 8 voxels."""
    levels = []
    for grid_mm in LEVELS_MM:
        level, factors = image, []
        for axis, (size, spacing) in enumerate(zip(image.GetSize(), image.GetSpacing(), strict=True)):
            factor = max(1, min(round(grid_mm / spacing), size // 8))
            if factor > 1:
                level = sitk.RecursiveGaussian(level, sigma=0.5 * factor * spacing, direction=axis)
            factors.append(factor)
        levels.append(sitk.Shrink(level, factors))
    return levels


def _metric(fixed: sitk.Image, mask: sitk.Image | None) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetNumberOfWorkUnits(1)  # sums of several threads differ in the last digits from run to run
    method.SetMetricAsMattesMutualInformation(HISTOGRAM_BINS)
    # ITK's default takes gradients smoothed over the coarsest spacing, 3 mm and more in thick slices, which led uphill
    # past the best fit; differences between neighbours belong to the metric that is optimised.
    method.SetMetricUseFixedImageGradientFilter(False)
    method.SetMetricUseMovingImageGradientFilter(False)
    method.SetMetricSamplingStrategy(method.RANDOM)
    wanted = SAMPLES
    if mask is not None:
        method.SetMetricFixedMask(mask)
        inside = sitk.GetArrayViewFromImage(mask).mean()
        wanted = SAMPLES / max(float(inside), 1e-3)  # samples outside the mask are dropped
    method.SetMetricSamplingPercentage(min(1.0, wanted / fixed.GetNumberOfPixels()), SEED)
    return method


def _chance(fixed, moving, transform: sitk.Transform, mask) -> float:
    """Highest mutual information (nats) with the moving volume displaced by a quarter of the fixed one's size."""
    values = [0.0]
    for axis in range(3):
        for sign in (-1, 1):
            index = [(size - 1) / 2 for size in fixed.GetSize()]
            index[axis] += sign * fixed.GetSize()[axis] / 4
            shift = np.subtract(fixed.TransformContinuousIndexToPhysicalPoint(index), _centre(fixed)).tolist()
            displaced = sitk.CompositeTransform([transform, sitk.TranslationTransform(3, shift)])
            values.append(mutual_information(fixed, moving, displaced, mask))
    return float(np.nanmax(values))


def _optimise(
    fixed, moving, transform: sitk.Transform, mask, grid_mm: float, cancelled: Callable[[], bool] | None
) -> tuple[sitk.Transform, int]:
    """Improve `transform` in place; also returns the number of iterations."""
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

    method = _metric(fixed, mask)
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


def _best_start(fixed, moving, mask) -> tuple[sitk.Transform, str]:
    candidates = [(_identity(fixed), "scanner")]
    for name, centres in (
        ("geometry", (_centre(fixed), _centre(moving))),
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
        covered = _overlap(fixed, moving, transform, mask)
        if np.isfinite(value) and covered >= MINIMUM_OVERLAP:
            scored.append((value * covered, transform, name))
    if not scored:
        raise InputError("The registration failed: the two volumes do not overlap.")
    _, transform, name = max(scored, key=lambda entry: entry[0])
    return transform, name


def _identity(fixed: sitk.Image) -> sitk.VersorRigid3DTransform:
    """No motion; rotates about the centre of the fixed grid when optimised."""
    transform = sitk.VersorRigid3DTransform()
    transform.SetCenter(_centre(fixed))
    return transform


def _centre(image: sitk.Image) -> tuple[float, ...]:
    return image.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in image.GetSize()])


def _centre_of_mass(image: sitk.Image) -> tuple[float, ...]:
    """Centre (LPS mm) of what lies above the minimum. Not ITK's moments, whose threads sum in varying order."""
    weight = sitk.GetArrayViewFromImage(image).astype(np.float64)
    weight -= weight.min()
    total = weight.sum()
    if total == 0:
        return _centre(image)
    profiles = (weight.sum(axis=axes) for axes in ((0, 1), (0, 2), (1, 2)))  # along x, y, z
    index = [float(profile @ np.arange(profile.size)) / total for profile in profiles]
    return image.TransformContinuousIndexToPhysicalPoint(index)


def _overlap(fixed, moving, transform, mask) -> float:
    covered = _coverage(fixed, moving, transform) > 0.5
    if mask is not None:
        same_place = sitk.Transform(3, sitk.sitkIdentity)
        region = sitk.Resample(mask, fixed, same_place, sitk.sitkNearestNeighbor, 0)
        covered = covered[sitk.GetArrayFromImage(region).astype(bool)]
    return float(covered.mean()) if covered.size else 0.0


def _coverage(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> np.ndarray:
    """1 where the moving volume has voxels on the fixed grid, 0 outside its field of view: float32 (z,y,x)."""
    ones = sitk.Image(moving.GetSize(), sitk.sitkFloat32) + 1
    ones.CopyInformation(moving)
    return sitk.GetArrayFromImage(sitk.Resample(ones, fixed, transform, sitk.sitkLinear, 0.0))


def _affine(start: sitk.Transform) -> sitk.AffineTransform:
    """The same motion as an affine transform, free to stretch and shear."""
    transform = sitk.AffineTransform(3)
    transform.SetCenter(start.GetCenter())
    transform.SetMatrix(start.GetMatrix())
    transform.SetTranslation(start.GetTranslation())
    return transform


def _stretch(transform: sitk.Transform) -> tuple[float, float]:
    """Smallest and largest scale along any direction."""
    scales = np.linalg.svd(np.array(transform.GetMatrix()).reshape(3, 3), compute_uv=False)
    return float(scales[-1]), float(scales[0])


def _angle(transform: sitk.Transform) -> float:
    """Degrees of the rotation, stretch and shear of an affine transform left out."""
    left, _, right = np.linalg.svd(np.array(transform.GetMatrix()).reshape(3, 3))
    matrix = left @ right
    return float(np.degrees(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1))))


def _shift_of_centre(transform: sitk.Transform, fixed: sitk.Image) -> float:
    centre = _centre(fixed)
    return float(np.linalg.norm(np.array(transform.TransformPoint(centre)) - np.array(centre)))
