"""The guided filter (He, Sun, Tang, "Guided image filtering", IEEE TPAMI 2013), in 3-D and in mm."""

from __future__ import annotations

import numpy as np

from .filters import Spacing, block_means, box_mean, from_blocks

SUBSAMPLING = 8.0  # the radius in voxels of the coarse grid


def guided_filter(
    array: np.ndarray, guide: np.ndarray, radius_mm: float, regularisation: float, spacing: Spacing
) -> np.ndarray:
    """Smooth an image along the structures of a guide: locally it becomes a * guide + b.

    a and b vary slowly, so they are found on a grid of radius / SUBSAMPLING (He and Sun, "Fast guided filter", 2015).

    Args:
        array: (z, y, x) float32.
        guide: the same.
        radius_mm: half the side of the windows.
        regularisation: variance of the guide below which it counts as flat.
        spacing: (z, y, x) in mm.

    Returns:
        (z, y, x) float32.
    """
    fine = guide
    z, y, x = (max(1, int(radius_mm / SUBSAMPLING / mm)) for mm in spacing)
    factors = z, y, x
    guide, array = block_means(guide, factors), block_means(array, factors)
    spacing = spacing[0] * z, spacing[1] * y, spacing[2] * x
    guide_mean, mean = box_mean(guide, radius_mm, spacing), box_mean(array, radius_mm, spacing)
    variance = box_mean(guide * guide, radius_mm, spacing) - guide_mean * guide_mean
    slope = box_mean(guide * array, radius_mm, spacing) - guide_mean * mean
    slope /= np.maximum(variance, 0) + np.float32(regularisation)
    offset = mean - slope * guide_mean
    slope, offset = (from_blocks(box_mean(a, radius_mm, spacing), factors, fine.shape) for a in (slope, offset))
    return slope * fine + offset
