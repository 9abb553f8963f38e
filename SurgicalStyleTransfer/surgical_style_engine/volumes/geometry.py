"""Exact re-orientation, and resampling in plane and between grids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING, Literal

import numpy as np

from surgical_style_engine.common.thresholds import LARGEST_SLICE
from surgical_style_engine.errors import InputError

from .resizing import resize
from .volume import Volume

if TYPE_CHECKING:
    import SimpleITK

PLANES = ("axial", "coronal", "sagittal")
# Order of the spatial axes (z, y, x) that brings a plane's slice axis to the front: (slice, height, width).
_PLANE_AXES = {"axial": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}


@dataclass(frozen=True)
class Reorientation:
    """How an array was permuted and flipped to lie along the patient's axes; exactly undone by ``undo``.

    axes: for each canonical spatial axis (z, y, x) the original one (0, 1, 2). flips: canonical axes that were
    reversed.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def apply(self, array: np.ndarray) -> np.ndarray:
        """(c, z, y, x) as stored -> canonical; a view."""
        moved = array.transpose(0, *(axis + 1 for axis in self.axes))
        return moved[(slice(None), *(slice(None, None, -1) if flip else slice(None) for flip in self.flips))]

    def undo(self, array: np.ndarray) -> np.ndarray:
        """Canonical (c, z, y, x) -> as stored, contiguous."""
        turned = array[(slice(None), *(slice(None, None, -1) if flip else slice(None) for flip in self.flips))]
        back = np.argsort(self.axes)
        return np.ascontiguousarray(turned.transpose(0, *(int(axis) + 1 for axis in back)))


def coarsest_axis(volume: Volume) -> int:
    """Array axis (0, 1, 2 for z, y, x) with the thickest slices; z when they are equal."""
    if volume.is_2d:
        return 0
    spacing = np.array(volume.spacing)[::-1]
    return int(np.argmax(spacing > spacing.max() * 0.999))


def to_canonical(volume: Volume) -> tuple[Volume, Reorientation]:
    """Permute and flip axes so that x, y, z run closest to Left, Posterior, Superior. No voxel is interpolated.

    Oblique volumes stay oblique: of the 48 possible results, it is the one whose direction is closest to the identity
    (the largest sum of the diagonal).
    """
    direction = np.asarray(volume.direction, float)
    # The image axis (0=x, 1=y, 2=z) for each patient axis (L, P, S). Taking the largest cosine first would be wrong for
    # some doubly oblique volumes; all six orders are few enough to compare.
    order = list(max(permutations(range(3)), key=lambda axes: sum(abs(direction[i, axes[i]]) for i in range(3))))
    signs = [bool(direction[axis, order[axis]] < 0) for axis in range(3)]
    reorientation = Reorientation(
        axes=tuple(2 - order[2 - axis] for axis in range(3)), flips=tuple(signs[2 - axis] for axis in range(3))
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
    """Canonical (c, z, y, x) -> (c, slice, height, width) of a plane; a view."""
    return array.transpose(0, *(axis + 1 for axis in _plane_axes(plane)))


def plane_first_undo(array: np.ndarray, plane: str) -> np.ndarray:
    """(c, slice, height, width) -> canonical (c, z, y, x); a view."""
    return array.transpose(0, *(int(axis) + 1 for axis in np.argsort(_plane_axes(plane))))


def plane_spacing(spacing: tuple[float, float, float], plane: str) -> tuple[float, float, float]:
    """(slice, height, width) distances in mm of a canonical volume with ``spacing`` (x, y, z)."""
    zyx = spacing[::-1]
    a, b, c = _plane_axes(plane)
    return float(zyx[a]), float(zyx[b]), float(zyx[c])


def _plane_axes(plane: str) -> tuple[int, int, int]:
    if plane not in _PLANE_AXES:
        raise InputError(f"There is no plane '{plane}'; use axial, coronal or sagittal.")
    return _PLANE_AXES[plane]


def model_size(size: tuple[int, int], spacing_mm: tuple[float, float], model_spacing_mm: float) -> tuple[int, int]:
    """Pixels (H, W) that cover the same field of view (h, w pixels of ``spacing_mm``) at the model's spacing, at least
    one each. The pixels' true spacing differs a little from the model's, so that nothing is cut off or added."""
    if not model_spacing_mm > 0 or not min(spacing_mm) > 0:
        raise InputError(f"Pixel distances are above 0 mm, not {spacing_mm} and {model_spacing_mm}.")
    h, w = (max(1.0, count * mm / model_spacing_mm) for count, mm in zip(size, spacing_mm, strict=True))
    if h * w > LARGEST_SLICE:
        pixels = f"{size[0]} x {size[1]} pixels of {spacing_mm[0]:g} x {spacing_mm[1]:g} mm"
        raise InputError(
            f"Slices of {pixels} would be too large at the model's {model_spacing_mm:g} mm; is the spacing right?"
        )
    return round(h), round(w)


def resize_in_plane(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(c, s, h, w) -> (c, s, H, W) float32, each slice by itself, over exactly the same field of view.

    Linear interpolation between pixel centres; when shrinking, with the filter widened against aliasing. An array
    that has the size and type already is returned itself, not a copy.
    """
    if min(size) < 1:
        raise InputError(f"A slice cannot be resized to {size[0]} x {size[1]} pixels.")
    if tuple(array.shape[-2:]) == tuple(size):
        return np.asarray(array, np.float32)
    c, s = array.shape[:2]
    result = np.empty((c, s, *size), np.float32)
    rows = max(1, (1 << 24) // max(array.shape[-2] * array.shape[-1], size[0] * size[1]))
    for channel in range(c):
        for start in range(0, s, rows):
            part = np.asarray(array[channel, start : start + rows], np.float32)
            result[channel, start : start + rows] = resize(part, (int(size[0]), int(size[1])))
    return result


def resample_like(
    moving: Volume,
    reference: Volume,
    interpolation: Literal["linear", "nearest"] = "linear",
    default: float | None = None,
    transform: SimpleITK.Transform | None = None,
) -> Volume:
    """``moving`` on the grid of ``reference``, ``default`` (its minimum) outside its field of view.

    linear gives float32; nearest keeps the type and its values, for labelmaps. Metadata stay those of ``moving``.
    transform: maps points of the reference to points of the moving volume, mm LPS; identity if not given.
    """
    import SimpleITK as sitk

    if interpolation not in ("linear", "nearest"):
        raise InputError(f"There is no interpolation '{interpolation}'; use linear or nearest.")
    image = moving.to_sitk()
    outside = float(moving.array.min()) if default is None else float(default)
    if interpolation == "linear":
        kind = sitk.sitkVectorFloat32 if moving.channels > 1 else sitk.sitkFloat32
        image = sitk.Cast(image, kind)
    filter_ = sitk.ResampleImageFilter()
    filter_.SetSize([int(count) for count in reference.size])
    filter_.SetOutputSpacing([float(value) for value in reference.spacing])
    filter_.SetOutputOrigin([float(value) for value in reference.origin])
    filter_.SetOutputDirection(np.asarray(reference.direction, float).ravel().tolist())
    filter_.SetInterpolator(sitk.sitkLinear if interpolation == "linear" else sitk.sitkNearestNeighbor)
    filter_.SetDefaultPixelValue(outside)
    if transform is not None:
        filter_.SetTransform(transform)
    moved = Volume.from_sitk(filter_.Execute(image)).array
    return replace(reference, array=moved, metadata=dict(moving.metadata), name=moving.name)


def labels_like(labels: Volume, reference: Volume) -> Volume:
    """A labelmap on the grid of ``reference``, 0 outside its field of view.

    Pictures of one size belong together pixel by pixel: a painted mask has no spacing, its radiograph may have one.
    """
    pictures = reference.is_2d and labels.array.shape[1:] == reference.array.shape[1:]
    if pictures or labels.same_grid(reference):
        return labels
    return resample_like(labels, reference, "nearest", default=0)
