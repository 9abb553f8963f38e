"""Where the brain is, roughly: enough to measure its tissues, also in a whole head and in any contrast of MR."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.filters import distance_inside
from surgical_style_engine.volumes.volume import Volume

if TYPE_CHECKING:
    import SimpleITK

DEEP_MM = 20.0  # below the skin of a head there is mostly brain
SKIN_MM = 8.0  # scalp and skull; there is no brain
EDGE_MM = 3.0  # of an extracted brain: veins, and what extraction left
LIKE = (
    0.55,
    1.45,
)  # of the commonest intensity deep inside: what grey and white matter lie between, in T1w, T2w, FLAIR
NECK_MM, FOLDS_MM = 3.0, 6.0  # bridges to eyes and muscles that are cut; sulci and ventricles that are filled
LEAST_ML = 20.0


def find_brain(volume: Volume, body: np.ndarray, extracted: bool) -> np.ndarray:
    """The inner part of the brain, with ventricles and most sulci.

    In a whole head: what is about as bright as the commonest intensity deep inside, cut from all that hangs on thin
    bridges, the largest part of it, closed and filled. No atlas, no training; tens of ml are missing at the base.

    Args:
        volume: scalar MR of a head, its bias field removed.
        body: bool (z, y, x) body mask.
        extracted: whether the image shows the brain alone.

    Returns:
        Bool (z, y, x).

    Raises:
        InputError: where less than 20 ml of brain is found.
    """
    image = volume.array[0] - float(volume.array[0].min())
    depth = distance_inside(body, volume.spacing[::-1])
    if extracted:
        region = depth > EDGE_MM
    else:
        deep = depth > min(DEEP_MM, 0.6 * float(depth.max()))
        region = _grown(image, _mode(image[deep]), depth > SKIN_MM, volume) if deep.any() else deep
    if np.count_nonzero(region) * float(np.prod(volume.spacing)) < LEAST_ML * 1000:
        raise InputError(f"{volume.name or 'The volume'}: no brain is found in it whose tissues could be measured.")
    return region


def _grown(image: np.ndarray, commonest: float, below_skin: np.ndarray, volume: Volume) -> np.ndarray:
    """Bool (z, y, x): the largest part of what is like the commonest intensity, closed and filled."""
    import SimpleITK as sitk

    alike = (image > LIKE[0] * commonest) & (image < LIKE[1] * commonest) & below_skin
    mask: SimpleITK.Image = sitk.GetImageFromArray(alike.astype(np.uint8))
    cut = sitk.BinaryErode(mask, _radius(NECK_MM, volume))
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(cut), sortByObjectSize=True)
    whole = sitk.BinaryDilate(parts == 1, _radius(NECK_MM, volume))
    closed = sitk.BinaryFillhole(sitk.BinaryMorphologicalClosing(whole, _radius(FOLDS_MM, volume)))
    return (sitk.GetArrayFromImage(closed) > 0) & below_skin


def _radius(mm: float, volume: Volume) -> list[int]:
    return [round(mm / spacing) for spacing in volume.spacing]


def _mode(values: np.ndarray) -> float:
    """The commonest intensity, of a smoothed histogram."""
    darkest, brightest = np.percentile(values, (1, 99))
    borders = np.linspace(darkest, brightest, 129)
    counts, _ = np.histogram(values, borders)
    smooth = np.convolve(counts, np.hanning(11), "same")
    most = int(smooth.argmax())
    return float(borders[most] + borders[most + 1]) / 2
