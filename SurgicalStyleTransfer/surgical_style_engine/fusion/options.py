"""What is asked of a fusion, and what cannot be asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.normalization import Normalization
from surgical_style_engine.volumes.volume import Volume, check_volume

from .methods import METHODS

UNITS = ("reference", "none")
MOST_INPUTS = 16


class FusionSettings(TypedDict, total=False):
    """The fields of ``FusionOptions`` as keyword arguments: ``**settings: Unpack[FusionSettings]``."""

    method: str
    weights: Sequence[float] | None
    register: str
    mask: np.ndarray | Volume | None
    normalizations: Sequence[Normalization | None] | None
    units: str
    progress: Callable[[int, int], None] | None
    cancelled: Callable[[], bool] | None


@dataclass(frozen=True, eq=False)
class FusionOptions:
    """How volumes are fused.

    Attributes:
        method: A name of ``METHODS``.
        weights: One a volume, at least 0, equal if None. In weighted fusion they are the weights, elsewhere they
            multiply what an input is chosen by.
        register: See ``align``.
        mask: bool (z, y, x) on the reference's grid or a labelmap on any, where registration looks and quality is
            measured; the reference's body mask if None.
        normalizations: A specification of ``volumes.normalization`` a volume, or None for the default: a HU window for
            CT (by its Modality tag), else robust percentiles.
        units: "reference" maps the result to the reference's range and keeps the reference's own values where no other
            volume has any; "none" leaves [0, 1].
        progress: Called with (steps done, steps in all).
        cancelled: Asked between two steps, in a registration between two iterations.

    >>> FusionOptions.of(FusionOptions(method="detail"), {"units": "none"}).method
    'detail'
    """

    method: str = "pyramid"
    weights: Sequence[float] | None = None
    register: str = "auto"
    mask: np.ndarray | Volume | None = None
    normalizations: Sequence[Normalization | None] | None = None
    units: str = "reference"
    progress: Callable[[int, int], None] | None = None
    cancelled: Callable[[], bool] | None = None

    @classmethod
    def of(cls, options: FusionOptions | None, settings: FusionSettings) -> FusionOptions:
        """The options with the settings laid over them; the class's own for what neither says."""
        return replace(options or cls(), **settings)

    def shares(self, count: int) -> list[float]:
        """The weights of so many volumes, which sum to 1."""
        weights = [1.0] * count if self.weights is None else [float(weight) for weight in self.weights]
        return [weight / sum(weights) for weight in weights]

    def check(self, volumes: Sequence[Volume]) -> list[str]:
        """The names of the volumes, for sentences.

        Raises:
            InputError: For volumes that cannot be fused, and for options that do not fit them.
        """
        count = len(volumes)
        if count < 2:
            raise InputError("Fusion needs at least two modalities, a reference and another one.")
        if count > MOST_INPUTS:
            raise InputError(f"Fusion takes {MOST_INPUTS} volumes at most, not {count}.")
        if self.method not in METHODS:
            raise InputError(f"There is no fusion method '{self.method}'; use {', '.join(METHODS)}.")
        if self.units not in UNITS:
            raise InputError(f"There are no units '{self.units}'; use {' or '.join(UNITS)}.")
        if self.weights is not None:
            _check_weights(self.weights, count)
        if self.normalizations is not None and len(self.normalizations) != count:
            raise InputError(f"{count} volumes need {count} normalisations, not {len(self.normalizations)}.")
        return check_volumes(volumes)


def check_volumes(volumes: Sequence[Volume]) -> list[str]:
    """The names of volumes, for sentences. Raises InputError unless all are scalar and of one kind."""
    names = []
    for number, volume in enumerate(volumes):
        name = volume.name or ("The reference" if number == 0 else f"Input {number + 1}")
        check_volume(volume, name)
        if volume.channels != 1:
            raise InputError(f"{name} is in colour; fusion takes scalar volumes.")
        if volume.is_2d != volumes[0].is_2d:
            raise InputError(f"{name} cannot be fused with the reference: one is a picture, the other a volume.")
        names.append(name)
    return names


def _check_weights(weights: Sequence[float], count: int) -> None:
    if len(weights) != count:
        raise InputError(f"{count} volumes need {count} weights, the reference's first, not {len(weights)}.")
    if not all(np.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights) > 0:
        raise InputError("The weights are numbers from 0 on, one of them above 0.")
