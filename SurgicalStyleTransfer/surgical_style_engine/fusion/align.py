"""Bring the other modalities onto the reference's grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.filters import Spacing, distance_inside
from surgical_style_engine.volumes.registration import (
    NOTHING_COMMON,
    RegistrationResult,
    register_affine,
    register_rigid,
)
from surgical_style_engine.volumes.resampling import resample_like
from surgical_style_engine.volumes.volume import Volume

REGISTRATIONS = ("auto", "none", "rigid", "affine")
MINIMUM_OVERLAP = 0.1  # of the body that another volume must cover
FEATHER_MM = 8.0  # over which an input fades in from the border of its field of view
LARGE_MOTION = (40.0, 20.0)  # mm and degrees: rare between scans of one session
LARGE_STRETCH = 0.05


@dataclass(frozen=True, eq=False)
class Aligned:
    """A volume on the reference's grid.

    Attributes:
        volume: (1, z, y, x) float32, by linear interpolation.
        coverage: bool (z, y, x), inside its field of view.
        support: float32 (z, y, x), 0 outside, rising to 1 within FEATHER_MM; None if all of the grid is covered.
        registration: How it was moved; None if the scanner's coordinates were taken.
        warnings: Sentences.
    """

    volume: Volume
    coverage: np.ndarray
    support: np.ndarray | None
    registration: RegistrationResult | None
    warnings: list[str]

    @property
    def transform(self) -> sitk.Transform:
        """Points of the reference (LPS, mm) to points of the volume."""
        return sitk.Transform(3, sitk.sitkIdentity) if self.registration is None else self.registration.transform


def align(
    moving: Volume,
    reference: Volume,
    body: np.ndarray,
    register: str = "auto",
    *,
    name: str = "The volume",
    cancelled: Callable[[], bool] | None = None,
) -> Aligned:
    """Bring a volume onto the reference's grid, registered or by the scanner's coordinates.

    Args:
        moving: (1, z, y, x).
        reference: (1, z, y, x).
        body: bool (z, y, x) on the reference's grid: registration looks there, and the overlap is measured there.
        register: "rigid", "affine", "none", or "auto": rigid unless both are on one grid already.
        name: What sentences begin with.
        cancelled: Asked between two iterations of a registration.

    Raises:
        InputError: When the registration fails or the two do not overlap.
        Cancelled: When cancelled.
    """
    if register not in REGISTRATIONS:
        raise InputError(f"There is no registration '{register}'; use {', '.join(REGISTRATIONS)}.")
    same = reference.same_grid(moving)
    if register == "auto":
        register = "none" if same else "rigid"
    registration = None
    if register != "none":
        try:
            find = register_affine if register == "affine" else register_rigid
            registration = find(reference, moving, body, cancelled=cancelled)
        except InputError as error:
            raise InputError(f"{name} cannot be laid over the reference. {error}") from None
        if not registration.found_common:
            raise InputError(f"{name} cannot be laid over the reference: {NOTHING_COMMON}.")
    transform = None if registration is None else registration.transform
    if same and transform is None:
        moved, coverage = moving.array.astype(np.float32), np.ones(moving.array.shape[1:], bool)
    else:
        ones = moving.with_array(np.ones(moving.array.shape, np.float32))
        coverage = resample_like(ones, reference, default=0.0, transform=transform).array[0] > 0.99
        moved = resample_like(_without_aliases(moving, reference), reference, transform=transform).array
    overlap = float(coverage[body].mean())
    if overlap < MINIMUM_OVERLAP:
        raise InputError(f"{name} and the reference do not overlap: it covers {100 * overlap:.0f} % of the body.")
    support = None if coverage.all() else _feathered(coverage, reference.spacing[::-1])
    warnings = _warnings(name, moving, reference, overlap, registration)
    return Aligned(reference.with_array(moved), coverage, support, registration, warnings)


def coarser_by(moving: Volume, reference: Volume) -> list[float]:
    """For each axis (x, y, z) of `moving`, how many of its voxels lie between two of the reference's, at least 1."""
    cosines = np.abs(np.asarray(reference.direction).T @ np.asarray(moving.direction))
    # The reference's sampling distance along a direction: that of the plane of its voxels that is hit first.
    along = 1 / (cosines / np.asarray(reference.spacing)[:, None]).max(axis=0)
    return np.maximum(along / np.asarray(moving.spacing), 1.0).tolist()


def _without_aliases(moving: Volume, reference: Volume) -> Volume:
    """`moving` smoothed along the axes that the reference samples more coarsely."""
    factors = coarser_by(moving, reference)
    if max(factors) < 1.3 or moving.is_2d:
        return moving
    # Half a voxel of the coarse grid, less the half of a fine one that sampling has smoothed already.
    variance = [0.25 * (f * f - 1) * mm * mm for f, mm in zip(factors, moving.spacing, strict=True)]
    image = sitk.Cast(moving.to_sitk(), sitk.sitkFloat32)
    smooth = sitk.DiscreteGaussian(image, variance, 65, 0.01, True)
    return moving.with_array(sitk.GetArrayFromImage(smooth)[None])


def _feathered(coverage: np.ndarray, spacing: Spacing) -> np.ndarray:
    """0 outside, rising to 1 within FEATHER_MM."""
    ramp = distance_inside(coverage, spacing)
    ramp /= FEATHER_MM
    return np.minimum(ramp, 1, out=ramp)


def _warnings(
    name: str, moving: Volume, reference: Volume, overlap: float, registration: RegistrationResult | None
) -> list[str]:
    warnings = []
    if overlap < 0.98:
        warnings.append(f"{name} covers {100 * overlap:.0f} % of the body; the rest shows the other inputs.")
    if max(coarser_by(moving, reference)) > 1.5:
        warnings.append(f"{name} is finer than the reference's grid: a part of its detail is lost there.")
    if registration is None:
        return warnings
    shift, turn, (least, most) = registration.translation_mm, registration.rotation_deg, registration.stretch
    if shift > LARGE_MOTION[0] or turn > LARGE_MOTION[1]:
        warnings.append(f"{name} was moved by {shift:.0f} mm and {turn:.0f} degrees: look whether it fits.")
    if max(most - 1, 1 - least) > LARGE_STRETCH:
        warnings.append(f"{name} was stretched by a factor of {least:.2f} to {most:.2f}.")
    return warnings
