"""Rigid and affine transforms: made, measured, and written to files that 3D Slicer loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.errors import InputError, StyleTransferError

TRANSFORM_ENDINGS = (".tfm", ".txt", ".h5")
LARGEST_STRETCH = 1.15  # of an affine transform along any direction; gradient errors of scanners are a few per cent
LinearTransform = sitk.VersorRigid3DTransform | sitk.AffineTransform


def identity(fixed: sitk.Image) -> sitk.VersorRigid3DTransform:
    """Return no motion; it rotates about the centre of the fixed grid when optimised."""
    transform = sitk.VersorRigid3DTransform()
    transform.SetCenter(centre(fixed))
    return transform


def as_affine(start: LinearTransform) -> sitk.AffineTransform:
    """Return the same motion as an affine transform, free to stretch and shear."""
    transform = sitk.AffineTransform(3)
    transform.SetCenter(start.GetCenter())
    transform.SetMatrix(start.GetMatrix())
    transform.SetTranslation(start.GetTranslation())
    return transform


def centre(image: sitk.Image) -> tuple[float, ...]:
    """Return the centre of an image's grid, mm LPS."""
    return image.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in image.GetSize()])


def stretch(transform: LinearTransform) -> tuple[float, float]:
    """Return the smallest and largest scale along any direction."""
    scales = np.linalg.svd(np.array(transform.GetMatrix()).reshape(3, 3), compute_uv=False)
    return float(scales[-1]), float(scales[0])


def stretches_plausibly(transform: LinearTransform) -> bool:
    """Whether no direction is stretched or shrunk by more than LARGEST_STRETCH, which scanners do not."""
    smallest, largest = stretch(transform)
    return 1 / LARGEST_STRETCH <= smallest and largest <= LARGEST_STRETCH


def angle(transform: LinearTransform) -> float:
    """Return the degrees of the rotation, stretch and shear of an affine transform left out."""
    left, _, right = np.linalg.svd(np.array(transform.GetMatrix()).reshape(3, 3))
    matrix = left @ right
    return float(np.degrees(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1))))


def shift_of_centre(transform: sitk.Transform, fixed: sitk.Image) -> float:
    """Return how far the centre of the fixed grid moves, mm."""
    middle = centre(fixed)
    return float(np.linalg.norm(np.array(transform.TransformPoint(middle)) - np.array(middle)))


def write_transform(transform: sitk.Transform, path: str | Path) -> None:
    """Write a transform, whole or not at all; Slicer loads it as a linear transform.

    Args:
        transform: Points of the fixed volume -> points of the moving one, mm LPS.
        path: The file, with one of TRANSFORM_ENDINGS.

    Raises:
        InputError: For another ending.
        StyleTransferError: When it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in TRANSFORM_ENDINGS:
        raise InputError(f"The transform {path.name} needs one of the endings {', '.join(TRANSFORM_ENDINGS)}.")
    try:
        with replacing(path, make_folders=False) as temporary:
            sitk.WriteTransform(transform, str(temporary))
            # ITK's writers do not notice a full disk: only what reads back as the transform may take the name.
            written = sitk.ReadTransform(str(temporary))
            for before, after in (
                (transform.GetParameters(), written.GetParameters()),
                (transform.GetFixedParameters(), written.GetFixedParameters()),
            ):
                if len(before) != len(after) or not np.allclose(before, after, rtol=1e-9, atol=1e-12):
                    raise RuntimeError("incomplete file")
    except (RuntimeError, OSError) as error:
        raise StyleTransferError(f"Cannot write the transform {path}: no room or no right to write there.") from error
