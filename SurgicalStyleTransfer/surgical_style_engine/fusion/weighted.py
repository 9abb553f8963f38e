"""Weighted mean of the inputs: simple, without any artefact, and the flattest where contrasts are opposite."""

from __future__ import annotations

import numpy as np

from .inputs import FusionInputs, Tick


def fuse_weighted(inputs: FusionInputs, tick: Tick) -> np.ndarray:
    """sum_i w_i x_i over inputs, the weights sharing 1 among those whose field of view holds the voxel.

    Args:
        inputs: What is fused.
        tick: Told the part that is done.

    Returns:
        (z, y, x) float32.
    """
    priors = inputs.priors()
    result = np.zeros_like(inputs.arrays[0])
    for number, (array, prior) in enumerate(zip(inputs.arrays, priors, strict=True)):
        result += array * prior
        tick((number + 1) / len(priors))
    return result
