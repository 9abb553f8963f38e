"""Structure guard: edges and fine anatomy from the input, only the tone from the translation.

The guided filter (He, Sun, Tang, "Guided image filtering", IEEE TPAMI 2013) in 3-D and in mm: within every window the
result is the translation's best fit by an affine function of the input. What the input does not show cannot appear
below the size of the windows, and edges lie where the input has them.
"""

from __future__ import annotations

import numpy as np

from surgical_style_engine.common.thresholds import NOISELESS_AIR_TOP
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.guided_filter import guided_filter

REGULARISATION = 1e-3  # of a range of 2: contrast below a deviation of 0.03 counts as noise, not as structure


def structure_guard(
    source: np.ndarray, translated: np.ndarray, size_mm: float, spacing: tuple[float, float, float]
) -> np.ndarray:
    """Refit a translation to its input.

    Args:
        source: the input (c, z, y, x), normalised; its channels are averaged as the guide.
        translated: (k, z, y, x), normalised.
        size_mm: half the side of the windows. Of an invented blob of that diameter in even surroundings a thirtieth
            remains; an eighth where slices are too thick for the windows to reach beyond one, and in pictures.
        spacing: (x, y, z) in mm.

    Returns:
        (k, z, y, x) float32 in [-1, 1].

    Raises:
        InputError: where a window would hold but one voxel.
    """
    x_mm, y_mm, z_mm = (float(mm) for mm in spacing)
    zyx = z_mm, y_mm, x_mm
    radii = [round(size_mm / mm) for mm, count in zip(zyx, source.shape[1:], strict=True) if count > 1]
    if radii and max(radii) < 1:
        raise InputError(
            f"A structure guard of {size_mm:g} mm is smaller than the voxels ({min(zyx):.3g} mm); choose a larger one."
        )
    guide = np.ascontiguousarray(source.mean(axis=0), np.float32)
    result = np.empty(translated.shape, np.float32)
    for channel, array in enumerate(translated):
        fitted = guided_filter(np.ascontiguousarray(array, np.float32), guide, size_mm, REGULARISATION, zyx)
        result[channel] = np.clip(fitted, -1, 1)
    # Averaged coefficients would draw a haze around a body whose background holds nothing.
    empty = (guide <= NOISELESS_AIR_TOP) & (translated <= NOISELESS_AIR_TOP)
    result[empty] = translated[empty]
    return result
