"""What every fusion method works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from surgical_style_engine.volumes.filters import Spacing

Prior = np.ndarray | np.float32
Tick = Callable[[float], None]  # called with the part of the work that is done, 0..1; raises Cancelled


@dataclass(frozen=True, eq=False)
class FusionInputs:
    """Aligned, normalised inputs, the reference first.

    Attributes:
        arrays: (z, y, x) float32 in [0, 1]; outside an input's field of view they show the reference.
        supports: (z, y, x) float32 in [0, 1], 0 outside the field of view and rising to 1 within it; None where it
            covers the whole grid.
        weights: One an input, at least 0, not all 0.
        spacing: (z, y, x) in mm.
        body: bool (z, y, x), where noise is judged.
    """

    arrays: list[np.ndarray]
    supports: list[np.ndarray | None]
    weights: list[float]
    spacing: Spacing
    body: np.ndarray

    def priors(self) -> list[Prior]:
        """The weights times the supports, scaled to sum to 1: numbers where all cover the grid, else maps (z, y, x).

        Where nothing of weight is left, the reference has all.
        """
        total = sum(self.weights)
        shares = [np.float32(weight / total) for weight in self.weights]
        if all(support is None for support in self.supports):
            return list(shares)
        shape = self.arrays[0].shape
        maps = [
            np.full(shape, share, np.float32) if support is None else support * share
            for share, support in zip(shares, self.supports, strict=True)
        ]
        present = weighted_sum(maps, [np.float32(1)] * len(maps))
        maps[0][present <= 1e-6] = 1
        present = np.where(present <= 1e-6, 1, present)
        return [part / present for part in maps]


def weighted_sum(arrays: Sequence[np.ndarray], priors: Sequence[Prior]) -> np.ndarray:
    """Sum of w_i x_i over arrays (z, y, x) and their weights, numbers or maps (z, y, x)."""
    total = np.zeros_like(arrays[0])
    for array, prior in zip(arrays, priors, strict=True):
        total += array * prior
    return total
