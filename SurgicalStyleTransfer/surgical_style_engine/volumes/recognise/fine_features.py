"""Measures of single slices at 1 mm: how bright it is so far from what is dark or bright, beside those of `features`.

From fluid inwards, T1w gets brighter and brighter; FLAIR is brightest in the cortex, 2 to 4 mm beside it; T2w gets
darker from bright fluid on. Neither the tone nor the scanner changes that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .features import blurred, rows_of
from .patches import OUTSIDE

if TYPE_CHECKING:
    import SimpleITK

_FAR = (0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 7.0, 9.0, 12.0, 16.0, 24.0)  # pixels, between which brightness is averaged
_NEAR = 6  # of these, for ranks
_RANKS_BEYOND, _LOCAL_BEYOND = (-0.8, 0.85), (-1.2, 1.2)  # what is dark, and what is bright
_BOXES = (3, 5, 9, 15)  # pixels
_PERCENTILES = (2, 10, 90, 98)
_LEVELS = np.arange(-2.0, 2.0, 0.5)  # of local brightness, where edges are counted
_LEAST_SEEDS, _LEAST_FAR, _LEAST_LEVEL, _LEAST_INSIDE = 20, 20, 10, 600  # pixels
_TINY = 1e-6


def fine_features(patches: np.ndarray) -> np.ndarray | None:
    """Measure the patches of one slice.

    Args:
        patches: (n, 3, h, w) as ``fine.fine_patches`` gives them.

    Returns:
        (features,) means over the patches. None where no patch holds enough.
    """
    known = rows_of(patches[:, :2])
    rows = [row for patch in patches if (row := _row(*patch)) is not None]
    if not known or not rows:
        return None
    return np.concatenate([np.nan_to_num(np.mean(part, axis=0)) for part in (known, rows)]).astype(np.float32)


def _row(values: np.ndarray, ranks: np.ndarray, local: np.ndarray) -> list[float] | None:
    inside = (values > OUTSIDE + 1e-3) & (ranks > -1)
    if inside.sum() < _LEAST_INSIDE:
        return None
    soft_ranks = blurred(ranks[None], inside[None], _BOXES[0])[0]
    softened = {side: blurred(local[None], inside[None], side)[0] for side in _BOXES}
    soft_local = softened[_BOXES[0]]
    row: list[float] = []
    for soft, (dark, bright) in ((soft_ranks, _RANKS_BEYOND), (soft_local, _LOCAL_BEYOND)):
        far = _distance((soft < dark) & inside)
        row += _profile(far, soft_local, inside)
        row += _profile(_distance((soft > bright) & inside), soft_local, inside)
        row += _profile(far, soft_ranks, inside)[:_NEAR]
    for side in _BOXES:
        row += _shape(softened[side][inside])
    return [*row, *_edges(soft_ranks, soft_local, inside)]


def _profile(far: np.ndarray | None, image: np.ndarray, inside: np.ndarray) -> list[float]:
    """Means by the distance from something; 0 where there is too little."""
    means = []
    for low, high in zip(_FAR, _FAR[1:], strict=False):
        ring = inside & (far > low) & (far <= high) if far is not None else np.zeros_like(inside)
        means.append(float(image[ring].mean()) if ring.sum() > _LEAST_FAR else 0.0)
    return means


def _distance(seeds: np.ndarray) -> np.ndarray | None:
    """(h, w) distance to the nearest of these in pixels, not above 0 on them; None where they are few."""
    if seeds.sum() < _LEAST_SEEDS:
        return None
    import SimpleITK as sitk

    image: SimpleITK.Image = sitk.GetImageFromArray(seeds.astype(np.uint8))
    return sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, False, False, False))


def _shape(values: np.ndarray) -> list[float]:
    """Skewness, spread and percentiles of what is brighter than its surroundings, blurred."""
    centred = values - values.mean()
    skewness = float((centred**3).mean() / (centred.std() ** 3 + _TINY))
    return [skewness, float(centred.std()), *np.percentile(centred, _PERCENTILES).tolist()]


def _edges(soft_ranks: np.ndarray, soft_local: np.ndarray, inside: np.ndarray) -> list[float]:
    """How steep it is where it is so bright, and how much of that there is."""
    steepness = np.hypot(*np.gradient(soft_ranks))
    mean = float(steepness[inside].mean()) + _TINY
    measures = []
    for level in _LEVELS:
        there = inside & (soft_local > level) & (soft_local <= level + 0.5)
        measures.append(float(steepness[there].mean()) / mean if there.sum() > _LEAST_LEVEL else 1.0)
        measures.append(float(there.sum() / inside.sum()))
    return measures
