"""How a translation is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgical_style_engine.models.calibration import Quickness


@dataclass(frozen=True)
class Judging:
    """How to judge.

    Attributes:
        cycle: with the cycle metrics, which take two or six more translations.
        jigsaw: with the Jigsaw Puzzle Error, the one of six.
        max_slices: judge the cycle on so many slices only; on all if None.
        max_slices_on_cpu: the same, where the translation ran on the CPU.
        sampled: judge the cycle on so few slices that it takes half as long as the translation did.
        uncertainty: how the error bound is found where the model is calibrated: "quick", from what is at hand, or
            "full", with four more translations; None for no bound, and so no verdict.
        lpips: with a reference, also judge by LPIPS, which takes a second or two a slice on a CPU; see
            ``stylize.lpips``.
        segmentations: labels (z, y, x) of the input and of the delivered image, for a Semantic Consistency by Dice.
    """

    cycle: bool = True
    jigsaw: bool = True
    max_slices: int | None = None
    max_slices_on_cpu: int | None = None
    sampled: bool = False
    uncertainty: Quickness | None = "quick"
    lpips: bool = False
    segmentations: tuple[np.ndarray, np.ndarray] | None = None
