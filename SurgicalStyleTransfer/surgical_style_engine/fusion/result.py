"""What comes of a fusion, by whatever method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgical_style_engine.volumes.volume import Volume

from .align import Aligned


@dataclass(frozen=True, eq=False)
class Fusion:
    """A fused volume, and what it was made of.

    Attributes:
        volume: float32 on the reference's grid, in ``units``.
        fused: The result (z, y, x) in [0, 1], before units.
        inputs: The normalised inputs (z, y, x) in [0, 1], the reference first; outside its field of view an input shows
            the reference.
        aligned: The other volumes on the reference's grid, in their own units, with their transforms.
        body: bool (z, y, x).
        covered: bool (z, y, x), inside the field of view of every input.
        names: Of the inputs.
        method: Its name.
        weights: One an input, sum 1; none for a learned fusion.
        units: A sentence that says what the numbers are.
        seconds: For all of it.
        warnings: Sentences.
    """

    volume: Volume
    fused: np.ndarray
    inputs: list[np.ndarray]
    aligned: list[Aligned]
    body: np.ndarray
    covered: np.ndarray
    names: list[str]
    method: str
    weights: list[float]
    units: str
    seconds: float
    warnings: list[str]
