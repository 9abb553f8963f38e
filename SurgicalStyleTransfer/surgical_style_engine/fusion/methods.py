"""The methods that fuse without training, by name. A new one is a module and an entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .detail import fuse_detail
from .guided import fuse_guided
from .inputs import FusionInputs, Tick
from .pyramid import fuse_pyramid
from .weighted import fuse_weighted


@dataclass(frozen=True)
class FusionMethod:
    """An entry of the registry; calling it fuses.

    Attributes:
        name: In options, requests and reports.
        title: For people, in a few words.
        fuse: Inputs and a callback for the part that is done, to (z, y, x) float32.
    """

    name: str
    title: str
    fuse: Callable[[FusionInputs, Tick], np.ndarray]

    def __call__(self, inputs: FusionInputs, tick: Tick) -> np.ndarray:
        """Fuse the inputs: (z, y, x) float32."""
        return self.fuse(inputs, tick)


METHODS: dict[str, Callable[[FusionInputs, Tick], np.ndarray]] = {
    method.name: method
    for method in (
        FusionMethod("weighted", "weighted mean", fuse_weighted),
        FusionMethod("pyramid", "Laplacian pyramid (Burt and Kolczynski 1993)", fuse_pyramid),
        FusionMethod("guided", "guided filter (Li, Kang and Hu 2013)", fuse_guided),
        FusionMethod("detail", "maximum detail", fuse_detail),
    )
}
