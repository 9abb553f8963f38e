"""Several inputs on one grid as the channels of one volume, and the air that they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surgical_style_engine.inference.air import flat_background
from surgical_style_engine.inference.blend import Blend
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.volumes.volume import Volume


@dataclass(frozen=True, eq=False)
class Beside:
    """An input beside the first one.

    Attributes:
        domain: name of its domain.
        volume: as it was read, on its own grid.
        normalized: (1, z, y, x) float32 in [-1, 1] on the first input's grid; -1 outside its field of view.
    """

    domain: str
    volume: Volume
    normalized: np.ndarray


def stacked(blend: Blend, beside: Sequence[Beside], card: ModelCard, direction: str) -> Volume:
    """All inputs as the network takes them.

    Args:
        blend: with the first input.
        beside: the others, in any order.
        card: of a model for many domains.
        direction: the route.

    Returns:
        (c, z, y, x) float32 in [-1, 1] on the first input's grid, in the order of the model's domains.
    """
    first = blend.landmarks.forward(blend.input.array)
    return blend.input.with_array(in_order(first, beside, card, direction))


def in_order(first: np.ndarray, beside: Sequence[Beside], card: ModelCard, direction: str) -> np.ndarray:
    """All inputs, normalised, in the order of the model's domains.

    Args:
        first: (1, z, y, x) in [-1, 1], the first of the route.
        beside: The others.
        card: Of the model.
        direction: The route.

    Returns:
        (c, z, y, x) float32.
    """
    arrays = {part.domain: part.normalized for part in beside}
    arrays[card.route(direction).given[0]] = first
    return np.concatenate([arrays[name] for name in card.names if name in arrays]).astype(np.float32, copy=False)


def without_common_air(inputs: np.ndarray, first: np.ndarray, output: np.ndarray) -> np.ndarray:
    """The translation with the first input's values where no input has anything but a background without noise.

    Args:
        inputs: (c, z, y, x) in [-1, 1].
        first: (1, z, y, x), the first of them.
        output: (1, z, y, x) in [-1, 1].
    """
    air = flat_background(inputs.max(axis=0, keepdims=True))
    return output if air is None else np.where(air, first, output).astype(np.float32)
