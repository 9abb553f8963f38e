"""Which of the places that a NIfTI file states is used, and what is odd about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume, corners_of

from .nifti_header import NiftiHeader
from .nifti_stated import with_stated

_TWO_PLACES = 0.1  # of a voxel from which two forms are two places; a quaternion's rounding is below
_ONE_PLACE = 0.005  # of a voxel up to which forms are kept as they are, half of what is written may be off
_ROUNDED = 0.01  # part of a voxel's size up to which pixdim may differ from the axes' lengths
_SAME_AXES = 1e-3  # of directions, as ITK judges right angles


def at_its_place(volume: Volume, header: NiftiHeader, path: Path) -> Volume:
    """Return the volume at a place that the file states, with a warning where that is in doubt.

    Args:
        volume: As ITK read it.
        header: What the file says of its place.
        path: For messages.

    Returns:
        The volume as ITK read it, with metadata["Warning"] where the file states more than one place, or none. Where
        its voxel size is rounded, so that ITK's volume is at no place that is stated, it gets that place and a warning.

    Raises:
        InputError: If it is at none of the places that are stated for another reason.
    """
    if not header.forms:
        warning = "The file states no place in space (neither sform nor qform); the directions of its axes are guessed."
        return replace(volume, metadata={**volume.metadata, "Warning": warning})
    away = _distances(volume, header)
    limit = _TWO_PLACES * min(volume.spacing)
    used = min(away, key=away.__getitem__)
    warnings = []
    if not away[used] <= limit:
        exact = _with_exact_size(volume, header, used)
        if exact is None:
            raise InputError(
                f"The file {path} contradicts itself: its axes ({' and '.join(away)}) and its voxel size do not agree."
            )
        sizes = [" x ".join(f"{size:.7g}" for size in np.array(one.spacing, np.float32)) for one in (volume, exact)]
        warnings.append(
            f"The file's voxel size is rounded ({sizes[0]} mm); that of its {used} is used ({sizes[1]} mm)."
        )
        volume = exact
        away = _distances(volume, header)
    other = next((name for name in away if name != used and not away[name] <= limit), None)
    if other is not None:
        warnings.append(
            f"The file states two places, up to {away[other]:.1f} mm apart; its {used} is used, as in 3D Slicer, so "
            f"that programs that use the {other} show the result elsewhere than the input."
        )
    if not warnings and max(away.values()) <= _ONE_PLACE * min(volume.spacing):
        return with_stated(volume, header.stated)
    return replace(volume, metadata={**volume.metadata, "Warning": " ".join(warnings)}) if warnings else volume


def is_plane(volume: Volume) -> bool:
    """Whether an image of two dimensions holds all that is known of where a slice lies."""
    return (
        volume.array.shape[1] == 1
        and volume.origin[2] == 0
        and volume.spacing[2] == 1
        and np.array_equal(np.asarray(volume.direction)[2], (0, 0, 1))
    )


def farthest_corner(corners: np.ndarray, volume: Volume) -> float:
    """Return the largest distance, mm, of the volume's corners from others, (8, 3) in mm LPS."""
    return float(np.linalg.norm(corners - volume.corners(), axis=1).max())


def _distances(volume: Volume, header: NiftiHeader) -> dict[str, float]:
    """Return the mm from the volume to each form, by the form's name."""
    return {name: farthest_corner(corners_of(form, header.size), volume) for name, form in header.forms.items()}


def _with_exact_size(volume: Volume, header: NiftiHeader, used: str) -> Volume | None:
    """Return the volume at the place of the form ``used``.

    None if that differs in more than the rounding of voxel sizes, or has axes that are not at right angles.
    """
    form = header.forms[used]
    spacing = np.linalg.norm(form[:, :3], axis=0)
    if not np.isfinite(form).all() or not (np.abs(spacing / volume.spacing - 1) <= _ROUNDED).all():
        return None
    axes = form[:, :3] / spacing
    limit = _TWO_PLACES * min(spacing)
    if np.abs(axes - volume.direction).max() > _SAME_AXES or np.abs(form[:, 3] - volume.origin).max() > limit:
        return None
    left, _, right = np.linalg.svd(axes)
    exact = replace(
        volume,
        spacing=tuple(spacing.tolist()),
        origin=tuple((form[:, 3] + 0.0).tolist()),
        direction=left @ right + 0.0,
    )
    return exact if farthest_corner(corners_of(form, header.size), exact) <= limit else None
