"""Where a volume's axes run: exact re-orientation, and slices of a plane first. No voxel is interpolated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from surgical_style_engine.errors import InputError

from .volume import Volume

PLANES = ("axial", "coronal", "sagittal")
# Order of the spatial axes (z, y, x) that brings a plane's slice axis to the front: (slice, height, width).
_PLANE_AXES = {"axial": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}


@dataclass(frozen=True)
class Reorientation:
    """How an array was permuted and flipped to lie along the patient's axes; exactly undone by ``undo``.

    Attributes:
        axes: For each canonical spatial axis (z, y, x) the original one (0, 1, 2).
        flips: Canonical axes that were reversed.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Bring an array (c, z, y, x) as it is stored into canonical order; a view."""
        moved = array.transpose(0, *(axis + 1 for axis in self.axes))
        return moved[self._steps]

    def undo(self, array: np.ndarray) -> np.ndarray:
        """Bring a canonical array (c, z, y, x) back to how it is stored; contiguous."""
        back = np.argsort(self.axes)
        return np.ascontiguousarray(array[self._steps].transpose(0, *(int(axis) + 1 for axis in back)))

    @property
    def _steps(self) -> tuple[slice, ...]:
        """Along (c, z, y, x): backwards where an axis is reversed."""
        return (slice(None), *(slice(None, None, -1) if flip else slice(None) for flip in self.flips))


def coarsest_axis(volume: Volume) -> int:
    """Return the array axis (0, 1, 2 for z, y, x) with the thickest slices; z when they are equal."""
    if volume.is_2d:
        return 0
    spacing = np.array(volume.spacing)[::-1]
    return int(np.argmax(spacing > spacing.max() * 0.999))


def to_canonical(volume: Volume) -> tuple[Volume, Reorientation]:
    """Permute and flip axes so that x, y, z run closest to Left, Posterior, Superior. No voxel is interpolated.

    Args:
        volume: Of any orientation.

    Returns:
        The volume along the patient's axes, and how to go back. Oblique volumes stay oblique: of the 48 possible
        results, it is the one whose direction is closest to the identity (the largest sum of the diagonal).

    Example:
        >>> stored = Volume(np.arange(24).reshape(1, 2, 3, 4), direction=np.diag([-1.0, -1.0, 1.0]))
        >>> canonical, reorientation = to_canonical(stored)
        >>> canonical.direction.diagonal().tolist(), canonical.origin
        ([1.0, 1.0, 1.0], (-3.0, -2.0, 0.0))
        >>> bool((reorientation.undo(canonical.array) == stored.array).all())
        True
    """
    direction = np.asarray(volume.direction, float)
    # The image axis (0=x, 1=y, 2=z) for each patient axis (L, P, S). Taking the largest cosine first would be wrong for
    # some doubly oblique volumes; all six orders are few enough to compare.
    cosines = np.abs(direction)

    def diagonal(axes: tuple[int, ...]) -> float:
        return sum(float(cosines[patient, image]) for patient, image in enumerate(axes))

    closest = max(permutations(range(3)), key=diagonal)
    order = list(closest)
    signs = [bool(direction[axis, order[axis]] < 0) for axis in range(3)]
    reorientation = Reorientation(
        axes=(2 - order[2], 2 - order[1], 2 - order[0]),
        flips=(signs[2], signs[1], signs[0]),
    )
    new_direction = direction[:, order].copy()
    spacing = np.asarray(volume.spacing, float)[order]
    size = np.asarray(volume.size)[order]
    origin = np.asarray(volume.origin, float).copy()
    for axis in range(3):
        if signs[axis]:
            origin += new_direction[:, axis] * spacing[axis] * (size[axis] - 1)
            new_direction[:, axis] *= -1
    canonical = replace(
        volume,
        array=reorientation.apply(volume.array),
        spacing=tuple(spacing.tolist()),
        origin=tuple(origin.tolist()),
        direction=new_direction,
    )
    return canonical, reorientation


def plane_first(array: np.ndarray, plane: str) -> np.ndarray:
    """Bring a canonical array (c, z, y, x) to (c, slice, height, width) of a plane; a view."""
    return array.transpose(0, *(axis + 1 for axis in _plane_axes(plane)))


def plane_first_undo(array: np.ndarray, plane: str) -> np.ndarray:
    """Bring (c, slice, height, width) of a plane back to canonical (c, z, y, x); a view."""
    return array.transpose(0, *(int(axis) + 1 for axis in np.argsort(_plane_axes(plane))))


def plane_spacing(spacing: tuple[float, float, float], plane: str) -> tuple[float, float, float]:
    """Return the (slice, height, width) distances in mm of a canonical volume with ``spacing`` (x, y, z) in mm."""
    zyx = spacing[::-1]
    a, b, c = _plane_axes(plane)
    return float(zyx[a]), float(zyx[b]), float(zyx[c])


def _plane_axes(plane: str) -> tuple[int, int, int]:
    if plane not in _PLANE_AXES:
        raise InputError(f"There is no plane '{plane}'; use axial, coronal or sagittal.")
    return _PLANE_AXES[plane]
