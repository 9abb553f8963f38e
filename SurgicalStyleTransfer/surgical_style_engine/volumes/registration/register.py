"""Rigid or affine registration, coarse to fine, and whether anything common was found.

Mattes mutual information over a versor rigid transform, optimised by SimpleITK. An affine transform is refined from the
rigid one, and kept only if it fits better without stretching anything beyond what scanners do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

from .search import MINIMUM_OVERLAP, Cancel, best_start, pyramid, refine_affine, refine_rigid
from .similarity import chance, covered_voxels, mutual_information, overlap
from .transforms import angle, identity, shift_of_centre, stretch, stretches_plausibly

BETTER_THAN_CHANCE = 1.5  # times the mutual information of displaced volumes; real pairs reach 2.2 to 8, noise 1
NOTHING_COMMON = "the registration found nothing that they have in common"
_REPORTED = (
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


@dataclass(frozen=True, eq=False)
class RegistrationResult:
    """What a registration found.

    Attributes:
        transform: Rigid or affine, maps points of the fixed volume (LPS, mm) to points of the moving volume, as
            `SimpleITK.Resample` and `.tfm` files expect it.
        moved: The moving volume on the fixed volume's grid.
        metric: Mattes mutual information in nats, higher is better.
        metric_before: The same in the coordinates the scanner wrote; NaN where these do not overlap.
        iterations: Of the optimiser, all levels together.
        initializer: Where the search began: "scanner", "geometry" or "moments".
        overlap: Fraction of the fixed volume (or of its mask) covered by the moving one.
        coverage: bool (z,y,x) on the fixed grid, where the moving volume has voxels; compare nothing outside.
        rotation_deg: Degrees.
        translation_mm: How far the centre of the fixed grid moves.
        kind: Of the transform, "rigid", "affine" or "deformable".
        stretch: Smallest and largest scale of the transform along any direction, 1 and 1 for a rigid one.
        chance: The metric that the moving volume has elsewhere, displaced by a quarter of the fixed one; a metric that
            is hardly higher means that nothing common was found.
        method: What the transform was found by; the metric is mutual information in any case.
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
    method: str = "Mattes mutual information"

    @property
    def found_common(self) -> bool:
        """Whether the fit is better than what volumes that have nothing in common reach as well."""
        return self.metric > BETTER_THAN_CHANCE * self.chance

    def figures(self) -> dict:
        """Return the numbers for a report."""
        return {
            "method": f"{self.kind}, {self.method}",
            **{name: getattr(self, name) for name in _REPORTED},
        }


def register_rigid(
    fixed: Volume,
    moving: Volume,
    mask: np.ndarray | None = None,
    default: float | None = None,
    *,
    cancelled: Cancel = None,
) -> RegistrationResult:
    """Find the rigid motion that lays ``moving`` over ``fixed``, and resample ``moving`` there (linear).

    Starts from the best of: the scanner's own coordinates, the centres of the two grids, the centres of mass.

    Args:
        fixed: Scalar 3-D volume (1,z,y,x) of any grid and contrast.
        moving: The same.
        mask: bool (z,y,x) or (1,z,y,x) on the fixed grid; only voxels inside count.
        default: Value outside the moving field of view (its minimum if None).
        cancelled: Asked at every iteration.

    Returns:
        The transform, the moved volume, and how good the fit is.

    Raises:
        InputError: When a volume cannot be registered (constant, flat, colour) or when the two share nothing.
        Cancelled: Once ``cancelled`` says so.

    Example:
        >>> blob = np.zeros((1, 24, 24, 24), np.float32)
        >>> blob[0, 8:16, 6:18, 9:15] = 100
        >>> fixed = Volume(blob, spacing=(2.0, 2.0, 2.0))
        >>> moving = Volume(blob, spacing=(2.0, 2.0, 2.0), origin=(6.0, 0.0, 0.0))
        >>> round(register_rigid(fixed, moving).translation_mm)
        6
    """
    return _register(fixed, moving, mask, default, "rigid", cancelled)


def register_affine(
    fixed: Volume,
    moving: Volume,
    mask: np.ndarray | None = None,
    default: float | None = None,
    *,
    cancelled: Cancel = None,
) -> RegistrationResult:
    """Register as `register_rigid` does, with stretch and shear, for scanners whose millimetres differ.

    The result stays rigid (see its `kind`) where an affine transform fits no better, or only by stretching some
    direction by more than LARGEST_STRETCH.
    """
    return _register(fixed, moving, mask, default, "affine", cancelled)


def _register(
    fixed: Volume, moving: Volume, mask: np.ndarray | None, default: float | None, kind: str, cancelled: Cancel
) -> RegistrationResult:
    fixed_image, moving_image = float_image(fixed, "fixed"), float_image(moving, "moving")
    mask_image = None if mask is None else mask_image_of(mask, fixed_image)
    fixed_levels, moving_levels = pyramid(fixed_image), pyramid(moving_image)

    initial, name = best_start(fixed_levels[0], moving_levels[0], mask_image)
    rigid, iterations = refine_rigid(fixed_levels, moving_levels, initial, mask_image, cancelled)
    scanner = identity(fixed_levels[-1])
    candidates = [(rigid, name), (initial, f"{name}, not improved"), (scanner, "scanner, not improved")]
    if kind == "affine":
        affine, steps = refine_affine(fixed_levels, moving_levels, rigid, mask_image, cancelled)
        iterations += steps
        if stretches_plausibly(affine):
            candidates.insert(0, (affine, name))

    # All candidates are judged on the finest level with the same samples.
    finest = fixed_levels[-1], moving_levels[-1]
    scored = [(mutual_information(*finest, t, mask_image), t, n) for t, n in candidates]
    scored = [entry for entry in scored if np.isfinite(entry[0])]
    if not scored:
        raise InputError("The registration failed: the two volumes do not overlap.")
    value, transform, name = max(scored, key=lambda entry: entry[0])
    covered = overlap(fixed_levels[0], moving_levels[0], transform, mask_image)
    if covered < MINIMUM_OVERLAP:
        raise InputError(f"The registration failed: the volumes overlap by {100 * covered:.0f} % only.")

    return RegistrationResult(
        transform=transform,
        moved=resampled(moving, fixed, (moving_image, fixed_image), transform, default),
        metric=value,
        metric_before=mutual_information(*finest, scanner, mask_image),
        iterations=iterations,
        initializer=name,
        overlap=covered,
        coverage=covered_voxels(fixed_image, moving_image, transform),
        rotation_deg=angle(transform),
        translation_mm=shift_of_centre(transform, fixed_image),
        kind="affine" if isinstance(transform, sitk.AffineTransform) else "rigid",
        stretch=stretch(transform),
        chance=chance(*finest, transform, mask_image),
    )


def resampled(
    moving: Volume,
    fixed: Volume,
    images: tuple[sitk.Image, sitk.Image],
    transform: sitk.Transform,
    default: float | None = None,
) -> Volume:
    """Bring a volume onto another's grid, linear; images: the two as ITK has them, the moving one first."""
    if default is None:
        default = float(moving.array.min())
    image = sitk.Resample(*images, transform, sitk.sitkLinear, default, sitk.sitkFloat32)
    return replace(fixed, array=sitk.GetArrayFromImage(image)[None], metadata=dict(moving.metadata))


def fits_better_than_displaced(fixed: Volume, moving: Volume, mask: np.ndarray | None = None) -> bool:
    """Whether two volumes, as they lie, have more in common than where one of them is displaced.

    Args:
        fixed: scalar.
        moving: scalar, on any grid.
        mask: bool (z, y, x) on the fixed grid, where it is looked.
    """
    fixed_image, moving_image = float_image(fixed, "fixed"), float_image(moving, "moving")
    mask_image = None if mask is None else mask_image_of(mask, fixed_image)
    place = identity(fixed_image)
    value = mutual_information(fixed_image, moving_image, place, mask_image)
    return bool(value > BETTER_THAN_CHANCE * chance(fixed_image, moving_image, place, mask_image))


def float_image(volume: Volume, role: str) -> sitk.Image:
    """The volume as ITK registers it; role: for messages. Raises InputError where it cannot be registered."""
    if volume.is_2d or volume.channels != 1:
        raise InputError(f"Registration needs scalar 3-D volumes, but the {role} one is 2-D or in colour.")
    if min(volume.array.shape[1:]) < 4:
        raise InputError(f"The {role} volume is too thin to register: every axis needs at least 4 voxels.")
    if not np.all(np.isfinite(volume.array)):
        raise InputError(f"The {role} volume has NaN or infinite voxels.")
    if volume.array.min() == volume.array.max():
        raise InputError(f"The {role} volume is constant: there is nothing to register.")
    return sitk.Cast(volume.to_sitk(), sitk.sitkFloat32)


def mask_image_of(mask: np.ndarray, fixed: sitk.Image) -> sitk.Image:
    """The mask (z,y,x) or (1,z,y,x) on the fixed grid. Raises InputError."""
    array = np.asarray(mask).astype(bool)
    array = array[0] if array.ndim == 4 else array
    if array.shape != fixed.GetSize()[::-1]:
        raise InputError(f"The mask has shape {array.shape}, the fixed volume {fixed.GetSize()[::-1]}.")
    if not array.any():
        raise InputError("The registration mask is empty.")
    image = sitk.GetImageFromArray(array.astype(np.uint8))
    image.CopyInformation(fixed)
    return image
