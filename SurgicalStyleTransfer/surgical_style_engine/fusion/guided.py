"""Guided-filter fusion (Li, Kang, Hu, "Image fusion with guided filtering", IEEE TIP 2013), in 3-D and in mm.

Two layers, base and detail. Each voxel belongs to the input with the largest saliency (smoothed absolute Laplacian);
the maps of ownership are smoothed by a guided filter (He, Sun, Tang, 2013) whose guide is the input itself, so that
they follow its edges: widely for the base, narrowly for the details. The paper's sizes in pixels are taken as mm.
"""

from __future__ import annotations

import numpy as np

from surgical_style_engine.volumes.filters import box_mean, gaussian, laplacian
from surgical_style_engine.volumes.guided_filter import guided_filter

from .inputs import FusionInputs, Tick

BASE_MM = 15.0  # radius of the mean that makes the base layer
SALIENCY_MM = 5.0  # sigma of the smoothing of the absolute Laplacian
BASE_FILTER = (45.0, 0.3)  # radius in mm and regularisation of the base's weights; intensities are in [0, 1]
DETAIL_FILTER = (7.0, 1e-6)  # the same for the details' weights


def fuse_guided(inputs: FusionInputs, tick: Tick) -> np.ndarray:
    """Fuse base and detail layer with the guided weights of each (Li, Kang and Hu 2013).

    Args:
        inputs: What is fused.
        tick: Told the part that is done.

    Returns:
        (z, y, x) float32.
    """
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


def _most_salient(inputs: FusionInputs) -> np.ndarray:
    """Number of the input with the largest weighted saliency: int8 (z,y,x)."""
    best = np.full(inputs.arrays[0].shape, -1, np.float32)
    owner = np.zeros(best.shape, np.int8)
    for number, (array, prior) in enumerate(zip(inputs.arrays, inputs.priors(), strict=True)):
        saliency = gaussian(np.abs(laplacian(array, inputs.spacing)), SALIENCY_MM, inputs.spacing) * prior
        better = saliency > best
        best[better], owner[better] = saliency[better], number
    return owner
