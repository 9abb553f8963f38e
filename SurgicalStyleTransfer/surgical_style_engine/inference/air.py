"""Where a volume holds air, which no network is to draw into."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from surgical_style_engine.common.thresholds import NOISELESS_AIR_TOP
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.models.picture_style import paints_air
from surgical_style_engine.volumes.body_mask import find_body
from surgical_style_engine.volumes.fill_holes import fill_slices
from surgical_style_engine.volumes.volume import Volume

FLAT_FRACTION = 0.1  # least part of a volume that is flat for that background to be left alone
Normalise = Callable[[np.ndarray], np.ndarray]


def untouched_air(
    canonical: Volume, card: ModelCard, channels: int, normalise: Normalise | None = None
) -> np.ndarray | None:
    """Where a volume keeps its values.

    A network that paints in the style of a picture would paint the air as well. (The optimisation sees to it itself.)

    Args:
        canonical: with canonical axes.
        card: of the model.
        channels: of the translation.
        normalise: from the volume's values to [-1, 1]; None where they are normalised already.

    Returns:
        (1, z, y, x) bool, or None where that is nowhere.
    """
    if canonical.is_2d:
        return None
    if paints_air(card):
        return ~find_body((canonical.array + 1) / 2)[None]
    return flat_background(canonical.array, normalise) if channels == 1 else None


def flat_background(array: np.ndarray, normalise: Normalise | None = None) -> np.ndarray | None:
    """A background without noise around the body, as brain extraction leaves.

    There is nothing there to translate, yet networks that normalise by slice statistics draw something into it where
    the body is small. Holes inside the body, slice by slice, do not count.

    Args:
        array: (c, z, y, x).
        normalise: from the array's values to [-1, 1]; None where they are normalised already.

    Returns:
        (1, z, y, x) bool; None where there is no such background, or several channels.
    """
    if array.shape[0] != 1:
        return None
    body = np.empty(array.shape[1:], bool)
    for index in range(len(body)):
        body[index] = (array[0, index] if normalise is None else normalise(array[0, index])) > NOISELESS_AIR_TOP
    if 1 - body.mean() < FLAT_FRACTION:
        return None
    fill_slices(body)
    return ~body[None]
