"""Maximum-detail fusion: at each of a few scales, each voxel's detail comes from the input that has the most there.

Unlike in the pyramid nothing is decimated (no voxel grid shows in the choice) and inputs are not averaged where they
agree: the sharpest of the methods, and the one that keeps the most noise.
"""

from __future__ import annotations

import numpy as np

from surgical_style_engine.volumes.filters import gaussian

from .inputs import FusionInputs, Tick, weighted_sum
from .selection import measure, select

SCALES = (1.0, 2.0, 4.0)  # sigmas, in voxels of the finest axis


def fuse_detail(inputs: FusionInputs, tick: Tick) -> np.ndarray:
    """Sum of the strongest details of every scale and of the weighted mean of what is left.

    Args:
        inputs: What is fused.
        tick: Told the part that is done.

    Returns:
        (z, y, x) float32.
    """
    spacing, finest, priors = inputs.spacing, min(inputs.spacing), inputs.priors()
    current, measured = list(inputs.arrays), []
    for number, scale in enumerate(SCALES):
        smooth = [gaussian(array, scale * finest, spacing) for array in inputs.arrays]
        details = (sharp - soft for sharp, soft in zip(current, smooth, strict=True))
        measured.append([measure(detail, scale * finest, spacing, inputs.body) for detail in details])
        current = smooth
        tick(0.7 * (number + 1) / len(SCALES))
    result = weighted_sum(current, priors)
    for number in reversed(range(len(SCALES))):
        entries = measured[number]
        if number + 1 < len(SCALES):
            for entry, coarse in zip(entries, measured[number + 1], strict=True):
                entry.salience += coarse.salience
        result += select(entries, priors, SCALES[number] * finest, spacing, average_matching=False)
        tick(1 - 0.3 * number / len(SCALES))
    return result
