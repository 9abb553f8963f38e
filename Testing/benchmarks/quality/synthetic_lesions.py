"""Lesions of random form set into a slice: darker in T1w as they are brighter in T2w and FLAIR, each more or less so.

Few patients have few lesions, and a hospital left out shows others. What is set in differs from its surroundings as the
real ones of the training patients do (``TYPICAL_DIFFERENCE``), times 0.7 to 2, and in the source by as little as 0.4 of
that: a lesion that is faint there has to be bright in the target all the same.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from surgical_style_engine.metrics.lesions import TYPICAL_DIFFERENCE

DIAMETERS = (6.0, 50.0)  # pixels
ROUGHNESS = 0.35  # how far the edge wavers, of the radius
EDGE = 1.2  # pixels
FAINTEST = 0.4  # of the typical difference


def random_form(
    shape: tuple[int, int], centre: tuple[int, int], diameter: float, random: np.random.Generator
) -> np.ndarray:
    """(h, w), 0 to 1: an ellipse with a wavering, soft edge."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    angle, flat = random.uniform(0, np.pi), random.uniform(0.6, 1.0)
    y, x = rows - centre[0], columns - centre[1]
    along, across = np.cos(angle) * x + np.sin(angle) * y, (np.cos(angle) * y - np.sin(angle) * x) / flat
    wavering = gaussian_filter(random.standard_normal(shape), max(1.5, diameter / 6))
    wavering *= ROUGHNESS / max(float(wavering.std()), 1e-6) / 2
    inside = np.hypot(along, across) < diameter / 2 * (1 + wavering)
    return gaussian_filter(inside.astype(np.float32), EDGE)


def set_lesion(
    stacks: dict[str, np.ndarray],
    source: str,
    allowed: np.ndarray,
    weights: np.ndarray,
    importance: float,
    random: np.random.Generator,
) -> None:
    """Set one into stacks (contrast to (s, h, w), changed in place), in all slices alike.

    Args:
        stacks: of [-1, 1].
        source: the contrast in which it may be faint.
        allowed: (h, w), where a brain is.
        weights: (1, h, w), which becomes ``importance`` where the lesion lies.
        importance: of a voxel of it.
        random: what draws.
    """
    inside = np.argwhere(allowed)
    if not len(inside):
        return
    centre = inside[random.integers(len(inside))]
    diameter = float(np.exp(random.uniform(*np.log(DIAMETERS))))
    form = random_form(allowed.shape, tuple(centre), diameter, random) * allowed
    strength = random.uniform(0.7, 2.0)
    uneven = 1 + 0.25 * gaussian_filter(random.standard_normal(allowed.shape), 3) / 0.1
    form = form * np.clip(uneven, 0.5, 1.5)
    for contrast, stack in stacks.items():
        share = random.uniform(FAINTEST, 1.0) if contrast == source else random.uniform(0.8, 1.2)
        stack += (TYPICAL_DIFFERENCE[contrast] * strength * share * form).astype(stack.dtype)
        np.clip(stack, -1, 1, out=stack)
    weights[0][form > 0.5] = importance
