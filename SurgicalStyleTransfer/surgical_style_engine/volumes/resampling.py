"""Resampling: in plane to a model's spacing, and between grids."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from surgical_style_engine.common.thresholds import LARGEST_SLICE
from surgical_style_engine.errors import InputError

from .resizing import resize
from .volume import Volume

if TYPE_CHECKING:
    import SimpleITK


def model_size(size: tuple[int, int], spacing_mm: tuple[float, float], model_spacing_mm: float) -> tuple[int, int]:
    """Find the number of pixels that cover the same field of view at the model's spacing.

    The pixels' true spacing differs a little from the model's, so that nothing is cut off or added.

    Args:
        size: (h, w) pixels of a slice.
        spacing_mm: (h, w) distances of its pixels, mm.
        model_spacing_mm: Distance of the model's pixels, mm.

    Returns:
        (H, W), at least one each.

    Raises:
        InputError: For distances that are not above 0, and slices that would be too large.

    Example:
        >>> model_size((320, 256), (0.5, 0.5), 1.0)
        (160, 128)
    """
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
    """Resize each slice by itself, over exactly the same field of view.

    Linear interpolation between pixel centres; when shrinking, with the filter widened against aliasing.

    Args:
        array: (c, s, h, w).
        size: (H, W) in pixels.

    Returns:
        (c, s, H, W) float32. An array that has the size and type already is returned itself, not a copy.

    Raises:
        InputError: For sizes below one pixel.
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
    """Resample a volume on the grid of another one.

    Args:
        moving: The volume.
        reference: Whose grid it gets.
        interpolation: "linear" gives float32; "nearest" keeps the type and its values, for labelmaps.
        default: Value outside the moving volume's field of view; its minimum if None.
        transform: Points of the reference -> points of the moving volume, mm LPS; identity if not given.

    Returns:
        The volume on the grid of ``reference``, with the metadata of ``moving``.

    Raises:
        InputError: For other interpolations.
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
    """Bring a labelmap on the grid of ``reference``, 0 outside its field of view.

    Pictures of one size belong together pixel by pixel: a painted mask has no spacing, its radiograph may have one.
    """
    are_pictures = reference.is_2d and labels.array.shape[1:] == reference.array.shape[1:]
    if are_pictures or labels.same_grid(reference):
        return labels
    return resample_like(labels, reference, "nearest", default=0)
