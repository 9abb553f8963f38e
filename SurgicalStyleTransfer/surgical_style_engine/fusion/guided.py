"""Guided-filter fusion (Li, Kang, Hu, "Image fusion with guided filtering", IEEE TIP 2013), in 3-D and in mm.

Two layers, base and detail. Each voxel belongs to the input with the largest saliency (smoothed absolute Laplacian);
the maps of ownership are smoothed by a guided filter (He, Sun, Tang, 2013) whose guide is the input itself, so that
they follow its edges: widely for the base, narrowly for the details. The paper's sizes in pixels are taken as mm.
"""

from __future__ import annotations

import numpy as np

from .filters import Spacing, block_means, box_mean, from_blocks, gaussian, laplacian
from .inputs import FusionInputs, Tick

BASE_MM = 15.0  # radius of the mean that makes the base layer
SALIENCY_MM = 5.0  # sigma of the smoothing of the absolute Laplacian
BASE_FILTER = (45.0, 0.3)  # radius in mm and regularisation of the base's weights; intensities are in [0, 1]
DETAIL_FILTER = (7.0, 1e-6)  # the same for the details' weights
SUBSAMPLING = 8.0  # of the guided filter: its radius in voxels of the coarse grid


def fuse_guided(inputs: FusionInputs, tick: Tick) -> np.ndarray:
    """Fuse base and detail layer with the guided weights of each: (z,y,x)."""
    spacing, arrays = inputs.spacing, inputs.arrays
    owner = _most_salient(inputs)
    tick(0.2)
    base, detail, base_total, detail_total = (np.zeros_like(arrays[0]) for _ in range(4))
    for number, (array, prior) in enumerate(zip(arrays, inputs.priors(), strict=True)):
        mine = (owner == number).astype(np.float32)
        low = box_mean(array, BASE_MM, spacing)
        # The maps of all inputs sum to about 1 only; negative values would subtract one input from another.
        weight = np.maximum(guided_filter(mine, array, *BASE_FILTER, spacing), 0) * (prior > 0)
        base += weight * low
        base_total += weight
        weight = np.maximum(guided_filter(mine, array, *DETAIL_FILTER, spacing), 0) * (prior > 0)
        detail += weight * (array - low)
        detail_total += weight
        tick(0.2 + 0.8 * (number + 1) / len(arrays))
    return base / np.maximum(base_total, 1e-6) + detail / np.maximum(detail_total, 1e-6)


def guided_filter(
    array: np.ndarray, guide: np.ndarray, radius_mm: float, regularisation: float, spacing: Spacing
) -> np.ndarray:
    """Smooth `array` along the structures of `guide`: locally it becomes a * guide + b. All (z,y,x) float32.

    a and b vary slowly, so they are found on a grid of radius / SUBSAMPLING (He and Sun, "Fast guided filter", 2015).
    """
    fine = guide
    factors = tuple(max(1, int(radius_mm / SUBSAMPLING / mm)) for mm in spacing)
    guide, array = block_means(guide, factors), block_means(array, factors)
    spacing = tuple(mm * factor for mm, factor in zip(spacing, factors, strict=True))
    guide_mean, mean = box_mean(guide, radius_mm, spacing), box_mean(array, radius_mm, spacing)
    variance = box_mean(guide * guide, radius_mm, spacing) - guide_mean * guide_mean
    slope = box_mean(guide * array, radius_mm, spacing) - guide_mean * mean
    slope /= np.maximum(variance, 0) + np.float32(regularisation)
    offset = mean - slope * guide_mean
    slope, offset = (from_blocks(box_mean(a, radius_mm, spacing), factors, fine.shape) for a in (slope, offset))
    return slope * fine + offset


def _most_salient(inputs: FusionInputs) -> np.ndarray:
    """Number of the input with the largest weighted saliency: int8 (z,y,x)."""
    best = np.full(inputs.arrays[0].shape, -1, np.float32)
    owner = np.zeros(best.shape, np.int8)
    for number, (array, prior) in enumerate(zip(inputs.arrays, inputs.priors(), strict=True)):
        saliency = gaussian(np.abs(laplacian(array, inputs.spacing)), SALIENCY_MM, inputs.spacing) * prior
        better = saliency > best
        best[better], owner[better] = saliency[better], number
    return owner
