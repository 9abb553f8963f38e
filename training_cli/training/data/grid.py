"""Volumes on the grid of the model, or on that of another volume, before they are cached."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.normalization import Landmarks
from surgical_style_engine.volumes.resampling import model_size, resample_like, resize_in_plane
from surgical_style_engine.volumes.volume import Volume
from training_cli.training.config import TrainingConfig


def to_model_grid(volume: Volume, config: TrainingConfig, landmarks: Landmarks | None) -> np.ndarray:
    """(c, s, h, w) float32 in the training plane at the training spacing, normalised if landmarks are given.

    Pictures have no spacing: their short side becomes ``picture_zoom`` patches, a little more than one by default.
    """
    canonical, _ = geometry.to_canonical(volume) if not volume.is_2d else (volume, None)
    array = canonical.array if volume.is_2d else geometry.plane_first(canonical.array, config.plane)
    array = array.astype(np.float32)
    if landmarks is not None:
        array = landmarks.forward(array)
    h, w = array.shape[-2:]
    if volume.is_2d:
        factor = config.picture_zoom * config.patch_size / min(h, w)
        size = (max(1, round(h * factor)), max(1, round(w * factor)))
    else:
        _, h_mm, w_mm = geometry.plane_spacing(canonical.spacing, config.plane)
        size = model_size((h, w), (h_mm, w_mm), config.spacing)
    return array if size == (h, w) else resize_in_plane(array, size)


def slice_distance(volume: Volume, config: TrainingConfig) -> float:
    """Distance of the slices in the training plane, in mm; 1 for a picture."""
    if volume.is_2d:
        return 1.0
    canonical, _ = geometry.to_canonical(volume)
    return float(geometry.plane_spacing(canonical.spacing, config.plane)[0])


def resampled_onto(
    fixed: Volume, moving: Volume, transform: sitk.Transform | None, names: str
) -> tuple[Volume, np.ndarray]:
    """A volume on the grid of another, and where its field of view covers that grid (z, y, x).

    Args:
        fixed: gives the grid.
        moving: the volume to resample.
        transform: SimpleITK's, from fixed to moving points; None where they share a space.
        names: of both, for the sentence of a failure.

    Raises:
        InputError: where they hardly overlap.
    """
    ones = moving.with_array(np.ones((1, *moving.array.shape[1:]), np.float32))
    covered = resample_like(ones, fixed, default=0.0, transform=transform).array[0] > 0.99
    if covered.mean() < 0.1:
        raise InputError(f"The pair {names} hardly overlap; register them first.")
    # Not the minimum: a single voxel far below (interpolation overshoots) would become the background around the field
    # of view, and the volume would be normalised from there.
    background = float(np.percentile(moving.array, 0.1))
    return resample_like(moving, fixed, default=background, transform=transform), covered


def apply_mask(volume: Volume, mask: Volume) -> Volume:
    """The volume with everything outside the mask (any grid) set to zero, as brain extraction leaves it.

    Raises InputError where the two do not overlap.
    """
    inside = resample_like(mask, volume, interpolation="nearest", default=0).array[:1] > 0
    if not inside.any():
        raise InputError("A mask does not overlap its volume.")
    return volume.with_array(np.where(inside, volume.array, 0).astype(volume.array.dtype))
