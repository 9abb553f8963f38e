"""The adjustments after the network, in their order: structure guard, matching, strength."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics.region import judged_region
from surgical_style_engine.models.card import Domain
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.geometry import coarsest_axis
from surgical_style_engine.volumes.volume import Volume

from .guard import structure_guard
from .matching import check_units, match_to_reference, reference_landmarks
from .options import Adjustments
from .strength import automatic_strength


@dataclass(frozen=True, eq=False)
class Adjusted:
    """An adjusted output.

    Attributes:
        normalized: (c, z, y, x) after guard and matching, before strength.
        target: the target domain, its inverse going into the units of the reference that was matched.
        strength: the one given, or found.
        consistency: at the strength; None where it was not looked for.
    """

    normalized: np.ndarray
    target: Domain
    strength: float
    consistency: float | None


def adjust_output(
    volume: Volume,
    source: np.ndarray,
    translated: np.ndarray,
    target: Domain,
    adjustments: Adjustments,
    strength: float = 1.0,
    inside: np.ndarray | None = None,
) -> Adjusted:
    """Adjust a network's output; no network runs.

    Args:
        volume: the input.
        source: it, normalised (c, z, y, x).
        translated: the network's output, normalised (k, z, y, x).
        target: the domain that the output is in.
        adjustments: what is to be done.
        strength: blend of input and translation, unless it is chosen automatically.
        inside: bool (1, z, y, x), the mask, for the automatic strength.

    Raises:
        InputError: for adjustments that cannot be.
    """
    if adjustments.structure_guard_mm is not None:
        translated = structure_guard(source, translated, adjustments.structure_guard_mm, volume.spacing)
    body = None
    if adjustments.match is not None:
        check_units(adjustments.match, target.units)
        body = body_mask(volume)
        in_units = match_to_reference(target.inverse.inverse(translated), body, adjustments.match, adjustments.match_by)
        landmarks = reference_landmarks(adjustments.match, target.normalization)
        target = target.model_copy(update={"inverse": landmarks})
        translated = target.inverse.forward(in_units)
    consistency = None
    if adjustments.least_consistency is not None:
        if source.shape[0] != translated.shape[0]:
            raise InputError("An automatic strength needs an input and an output with equal numbers of channels.")
        body = body_mask(volume) if body is None else body
        region = judged_region(None if inside is None else inside[0], body)
        strength, consistency = automatic_strength(
            source, translated, adjustments.least_consistency, region, coarsest_axis(volume)
        )
    return Adjusted(translated, target, strength, consistency)
