"""What can be adjusted about a translation, apart from strength and mask."""

from __future__ import annotations

import math
from dataclasses import dataclass

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume, check_volume

MATCHES = ("histogram", "moments")
LARGEST_GUARD_MM = 1000.0  # larger than any body is wide


@dataclass(frozen=True, eq=False)
class Adjustments:
    """What is done beside running the network.

    The order is: flatten the bias (input) -> network, an ensemble if asked for -> structure guard -> matching ->
    strength and mask -> output.

    Attributes:
        structure_guard_mm: size below which nothing may be invented, see ``guard``.
        match: volume whose intensities the output follows, see ``matching``.
        match_by: one of ``MATCHES``.
        flatten_bias: N4 on the input, see ``volumes.bias_field``.
        least_consistency: the strength is the largest that keeps this Semantic Consistency, see ``strength``.
        ensemble: average over flips and shifts, in each plane that is run, see ``inference.ensemble``.

    Raises:
        InputError: for values that cannot be.

    >>> Adjustments(structure_guard_mm=3, flatten_bias=True).sentence()
    'bias of the input flattened (N4); structure guard 3 mm'
    """

    structure_guard_mm: float | None = None
    match: Volume | None = None
    match_by: str = "histogram"
    flatten_bias: bool = False
    least_consistency: float | None = None
    ensemble: bool = False

    def __post_init__(self) -> None:
        guard, least = self.structure_guard_mm, self.least_consistency
        if guard is not None and not 0 < guard <= LARGEST_GUARD_MM:
            limit = "" if guard <= 0 or math.isnan(guard) else f" and at most {LARGEST_GUARD_MM:g}"
            raise InputError(f"The structure guard is a size above 0 mm{limit}, not {guard:g}.")
        if self.match_by not in MATCHES:
            raise InputError(f"Matching is by {' or '.join(MATCHES)}, not '{self.match_by}'.")
        if least is not None and not 0 <= least <= 1:
            raise InputError(f"The least consistency is between 0 and 1, not {least:g}.")
        if self.match is not None:
            check_volume(self.match, self.match.name or "The reference to match")

    @property
    def is_none_after_network(self) -> bool:
        """Whether a translation is left as the network made it."""
        return self.structure_guard_mm is None and self.match is None and self.least_consistency is None

    def sentence(self) -> str:
        """What was adjusted, for provenance; empty if nothing was."""
        parts = []
        if self.flatten_bias:
            parts.append("bias of the input flattened (N4)")
        if self.ensemble:
            parts.append("ensemble over flips and shifts")
        if self.structure_guard_mm is not None:
            parts.append(f"structure guard {self.structure_guard_mm:g} mm")
        if self.match is not None:
            parts.append(f"matched to a reference by {self.match_by}")
        if self.least_consistency is not None:
            parts.append(f"strength chosen for a consistency of at least {self.least_consistency:g}")
        return "; ".join(parts)
