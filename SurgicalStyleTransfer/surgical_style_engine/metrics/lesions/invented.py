"""What a translation shows like a lesion where the real image shows nothing of the kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgical_style_engine.volumes.filters import Spacing, block_means, from_blocks, gaussian

from .components import MAD_TO_DEVIATION, connected, depth_mm, distance_mm, sphere_diameter

FINE_MM, COARSE_MM = 0.7, 8.0  # sigma of the smoothing, and of the mean of the surroundings that is taken off
STANDS_OUT = 2.5  # local contrasts, in robust standard deviations, from which a voxel stands out in the translation
IS_THERE = 1.0  # the same in the real image, from which it has something there, too
REACH_MM = 2.0  # so far from a voxel the real image may have it
SHARED = 0.5  # part of a component that the real image must have
RIM_MM = 3.0  # of the brain's edge, where sulci and registration decide
LEAST_MM = 3.0  # diameter below which nothing is counted
BRIGHT, DARK = "bright", "dark"


@dataclass(frozen=True)
class Invention:
    """A component of the translation that the real image lacks: its diameter in mm and its centre (z, y, x)."""

    diameter_mm: float
    centre: tuple[float, float, float]


def local_contrast(image: np.ndarray, region: np.ndarray, spacing: Spacing) -> np.ndarray:
    """How much every voxel stands out from a neighbourhood of COARSE_MM, in robust standard deviations of the region.

    Tone and contrast of the image as a whole cancel out.

    Args:
        image: (z, y, x), any units.
        region: Bool (z, y, x), such as the brain; means are taken inside it.
        spacing: Millimetres along z, y, x.

    Returns:
        float32 (z, y, x), 0 outside of the region.
    """
    inside = np.asarray(region, np.float32)
    values = np.asarray(image, np.float32) * inside
    fine = gaussian(values, FINE_MM, spacing) / np.maximum(gaussian(inside, FINE_MM, spacing), 1e-3)
    # So smooth a mean is as well found on means of blocks of a quarter of its sigma.
    factors = [max(1, round(COARSE_MM / 4 / mm)) for mm in spacing]
    blocks = tuple(mm * factor for mm, factor in zip(spacing, factors, strict=True))
    sums, weights = (
        gaussian(block_means(array, factors), COARSE_MM, (blocks[0], blocks[1], blocks[2]))
        for array in (values, inside)
    )
    coarse = from_blocks(sums / np.maximum(weights, 1e-3), factors, values.shape)
    apart = np.where(region, fine - coarse, 0)
    spread = MAD_TO_DEVIATION * float(np.median(np.abs(apart[region] - np.median(apart[region]))))
    return apart / np.float32(max(spread, 1e-6))


def inventions(
    translation: np.ndarray,
    real: np.ndarray,
    region: np.ndarray,
    spacing: Spacing,
    polarity: str = BRIGHT,
    labels: np.ndarray | None = None,
) -> list[Invention]:
    """Components that stand out in the translation and not in the real image, from the largest down.

    Args:
        translation: (z, y, x), any units.
        real: The real image on its grid.
        region: Bool (z, y, x), such as the brain.
        spacing: Millimetres along z, y, x.
        polarity: "bright" or "dark": how lesions look in this contrast.
        labels: Lesions that are known, (z, y, x); what touches one of them is not invented.
    """
    sign = 1 if polarity == BRIGHT else -1
    inner = depth_mm(region, spacing) > RIM_MM
    stands_out = (sign * local_contrast(translation, region, spacing) >= STANDS_OUT) & inner
    there = sign * local_contrast(real, region, spacing) >= IS_THERE
    if labels is not None:
        there |= np.asarray(labels) != 0
    there = distance_mm(there, spacing) <= REACH_MM if there.any() else there
    numbered, count = connected(stands_out)
    if not count:
        return []
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)
    shared = np.bincount(numbered[there], minlength=count + 1)
    voxel = float(np.prod(spacing))
    result = []
    for number in range(1, count + 1):  # from the largest down
        diameter = sphere_diameter(sizes[number] * voxel)
        if diameter < LEAST_MM:
            break
        if shared[number] < SHARED * sizes[number]:
            z, y, x = np.argwhere(numbered == number).mean(0)
            result.append(Invention(diameter, (float(z), float(y), float(x))))
    return result
