"""The default body mask: where there is a patient, not air."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from surgical_style_engine.errors import InputError

from .fill_holes import fill_slices
from .volume import Volume

if TYPE_CHECKING:
    import SimpleITK

WORKING_MM = 2.0  # the mask is found on a grid about this coarse: steadier against noise, and fast


def body_mask(volume: Volume) -> np.ndarray:
    """Find the body, as opposed to air.

    Otsu's threshold (IEEE TSMC 1979) on the smoothed volume (bright end clipped), a third of the way up only, because
    Otsu falls between dark and bright tissue when much is bright; then the largest connected component, with holes
    filled slice by slice (skull, air cells and ventricles belong to the body).

    Args:
        volume: Of any units. Colour pictures are all body.

    Returns:
        bool (z,y,x), True inside.

    Raises:
        InputError: For a constant volume.

    Example:
        >>> array = np.zeros((1, 20, 20, 20), np.float32)
        >>> array[0, 5:15, 5:15, 5:15] = 100
        >>> mask = body_mask(Volume(array))
        >>> bool(mask[10, 10, 10]), bool(mask[0, 0, 0])
        (True, False)
    """
    import SimpleITK as sitk

    array = volume.array
    if array.shape[0] != 1:
        return np.ones(array.shape[1:], bool)
    low, high = (float(v) for v in np.percentile(array[0][_subsample(array[0])].astype(np.float32), (0.5, 99.0)))
    if not high > low:
        low, high = float(array.min()), float(array.max())
    if not high > low:
        raise InputError("The volume is constant: it has no body.")
    image = sitk.GetImageFromArray(np.clip(array[0], low, high, dtype=np.float32))
    image.SetSpacing([float(s) for s in volume.spacing])
    size, spacing = image.GetSize(), image.GetSpacing()
    coarse = _coarse(image)
    del image
    otsu = sitk.OtsuThresholdImageFilter()
    otsu.SetInsideValue(0)
    otsu.SetOutsideValue(1)
    otsu.Execute(coarse)
    threshold = low + (otsu.GetThreshold() - low) / 3
    body = coarse > threshold
    # Filled before the largest is chosen, so that the scalp is one with the brain; closed after, so that a couch stays
    # apart from the patient.
    body = _largest(_fill_slices(body))
    body = sitk.Cast(_fill_slices(_closed(body)), sitk.sitkFloat32)
    same_place = sitk.Transform(3, sitk.sitkIdentity)
    origin, direction = (0.0, 0.0, 0.0), sitk.Image(1, 1, 1, sitk.sitkUInt8).GetDirection()
    full = sitk.Resample(body, size, same_place, sitk.sitkLinear, origin, spacing, direction, 0.0)
    mask = sitk.GetArrayViewFromImage(full) >= 0.5
    if not mask.any():
        return array[0] > threshold
    return mask


def find_body(content: np.ndarray) -> np.ndarray:
    """Find where a style belongs: on the patient, not on the air; everywhere if there is no telling.

    Args:
        content: (c, s, h, w) in [0, 1].

    Returns:
        bool (s, h, w).
    """
    try:
        return body_mask(Volume(np.ascontiguousarray(content)))
    except InputError:
        return np.ones(content.shape[1:], bool)


def _subsample(values: np.ndarray) -> tuple[slice, ...]:
    """Every so many voxels along each axis, about two million in all."""
    step = max(1, int(np.ceil((values.size / 2e6) ** (1 / 3))))
    return tuple(slice(None, None, min(step, max(1, n // 8))) for n in values.shape)


def _coarse(image: SimpleITK.Image) -> SimpleITK.Image:
    """The image on a grid of about WORKING_MM, anti-aliased."""
    import SimpleITK as sitk

    for axis, (size, spacing) in enumerate(zip(image.GetSize(), image.GetSpacing(), strict=True)):
        factor = max(1, min(round(WORKING_MM / spacing), size // 16))
        if factor > 1:
            # Axis by axis: what follows has less to do, and the result is the same.
            smooth = sitk.RecursiveGaussian(image, sigma=0.5 * factor * spacing, direction=axis)
            image = sitk.Shrink(smooth, [factor if other == axis else 1 for other in range(3)])
    return image


def _radius(image: SimpleITK.Image, mm: float) -> list[int]:
    """(x, y, z) in voxels, no more than fit into the image."""
    return [
        min(round(mm / spacing), max(0, (size - 1) // 2))
        for size, spacing in zip(image.GetSize(), image.GetSpacing(), strict=True)
    ]


def _closed(body: SimpleITK.Image) -> SimpleITK.Image:
    import SimpleITK as sitk

    return sitk.BinaryMorphologicalClosing(body, _radius(body, 4.0), sitk.sitkBall, 1)


def _largest(body: SimpleITK.Image) -> SimpleITK.Image:
    """The largest component after an opening that cuts thin bridges (to a couch, to a ghost)."""
    import SimpleITK as sitk

    opened = sitk.BinaryMorphologicalOpening(body, _radius(body, 2.0), sitk.sitkBall, 0, 1)
    if not sitk.GetArrayViewFromImage(opened).any():
        opened = body
    labels = sitk.RelabelComponent(sitk.ConnectedComponent(opened), sortByObjectSize=True)
    return labels == 1


def _fill_slices(body: SimpleITK.Image) -> SimpleITK.Image:
    """Fill what a slice's body surrounds: cavities open at the first or last slice would escape a 3-D filling."""
    import SimpleITK as sitk

    array = sitk.GetArrayFromImage(body)
    fill_slices(array)
    result = sitk.GetImageFromArray(array)
    result.CopyInformation(body)
    return result
