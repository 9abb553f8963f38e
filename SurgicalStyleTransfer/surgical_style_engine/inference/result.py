"""What comes of a translation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from surgical_style_engine.volumes.volume import Volume

from .fit.misfit import Misfit

NOTHING = np.empty((0, 0, 0, 0), np.float32)


@dataclass
class Translation:
    """A finished run.

    Attributes:
        volume: float32 in the units of the domain it ends in, on the input's grid.
        normalized_input: (c, z, y, x) float32 in [-1, 1] on that grid.
        normalized_output: the same of the network's output, before strength and mask.
        slices: how many slices went through the network, all planes together.
        seconds: that the run took.
        device: that was really used.
        precision: the same.
        backend: the same.
        warnings: sentences for the person.
        disagreement: standard deviation over the planes and the variants of an ensemble, (1, z, y, x) in normalised
            units, where several were run.
        adjusted: ``normalized_output`` after structure guard and matching, where there were any.
        flattened: the input (c, z, y, x) without its bias field, in its own units, where that was asked for.
        strength: the one used.
        consistency: Semantic Consistency at that strength, where the strength was chosen by it.
        misfit: what of the input is not what the model takes.
        mixed: the input, whose units are others, shows through, so that not all voxels are in the units of the domain.
        doubts: those of the warnings that say why the input may not be what the model takes.
    """

    volume: Volume
    normalized_input: np.ndarray
    normalized_output: np.ndarray
    slices: int
    seconds: float
    device: str
    precision: str
    backend: str
    warnings: list[str]
    disagreement: Volume | None = None
    adjusted: np.ndarray | None = None
    flattened: np.ndarray | None = None
    strength: float = 1.0
    consistency: float | None = None
    mixed: bool = False
    misfit: Misfit | None = None
    doubts: list[str] = field(default_factory=list)

    @property
    def judged(self) -> np.ndarray:
        """What the quality metrics look at: the normalised output with its adjustments, before strength and mask."""
        return self.normalized_output if self.adjusted is None else self.adjusted
