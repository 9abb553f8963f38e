"""Flattening the bias field of an MR volume: N4 (Tustison et al., IEEE TMI 2010), by SimpleITK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from surgical_style_engine.common.thresholds import HU_BELOW
from surgical_style_engine.errors import InputError

from .body_mask import body_mask
from .volume import Volume

if TYPE_CHECKING:
    import SimpleITK

WORKING_MM = 6.0  # a bias field is far smoother than this; N4 on the whole grid would take minutes
ITERATIONS = (30, 30, 20)


def flatten_bias(volume: Volume, region: np.ndarray | None = None) -> Volume:
    """Divide a volume by its bias field.

    The field is found on a grid of about WORKING_MM, has a geometric mean of 1 inside the region, so that intensities
    keep their scale, and is bounded by its extremes there elsewhere.

    Args:
        volume: Scalar MR.
        region: bool (z,y,x) where the field is found; the body mask by default.

    Returns:
        The volume, float32, on the same grid.

    Raises:
        InputError: For colour volumes and for HU, which have no bias field, and where none can be found.
    """
    import SimpleITK as sitk

    if volume.channels != 1:
        raise InputError("Bias fields are flattened in scalar MR volumes, not in colours.")
    if volume.metadata.get("Modality", "").strip().upper() == "CT" or float(volume.array.min()) < HU_BELOW:
        raise InputError("The volume is in HU, which has no bias field; leave the flattening out.")
    inside = body_mask(volume) if region is None else np.asarray(region, bool)
    array = volume.array[0].astype(np.float32)
    zero = min(0.0, float(array.min()))
    factors = [
        max(1, min(round(WORKING_MM / mm), count // 8)) for mm, count in zip(volume.spacing, volume.size, strict=True)
    ]
    # N4 takes logarithms: a hundred-thousandth of the range keeps zeros away from them.
    shifted = array - zero + max(1e-5 * float(np.ptp(array)), 1e-12)
    image, mask = _image(shifted, volume), _image(inside.astype(np.uint8), volume)
    if volume.is_2d:
        image, mask = image[:, :, 0], mask[:, :, 0]
        factors = factors[:2]
    small, small_mask = sitk.Shrink(image, factors), sitk.Shrink(mask, factors)
    if not sitk.GetArrayViewFromImage(small_mask).any():
        raise InputError("The body is too small for its bias field to be found.")
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(list(ITERATIONS))
    n4.SetConvergenceThreshold(1e-3)
    try:
        n4.Execute(small, small_mask)
        field = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image)).reshape(array.shape)
    except RuntimeError:
        raise InputError("No bias field can be found in this volume.") from None
    field -= field[inside].mean(dtype=np.float64)
    field = np.clip(field, field[inside].min(), field[inside].max())
    flat = (array - zero) / np.exp(field) + zero
    return volume.with_array(flat[None].astype(np.float32))


def _image(array: np.ndarray, volume: Volume) -> SimpleITK.Image:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(mm) for mm in volume.spacing])
    return image
