"""Which of two volumes a model can translate into the other's contrast, and which of both is the surer."""

from __future__ import annotations

from dataclasses import dataclass

from surgical_style_engine.inference.fit.misfit import fits
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.recognise.verdict import Verdict, recognise
from surgical_style_engine.volumes.volume import Volume

from ..trust.error_bound import calibration_of

UNKNOWN_SHARE = 2.0  # in place of the share of a body that cannot be trusted, where nothing is calibrated


@dataclass(frozen=True)
class Way:
    """A translation of one of two volumes into the contrast of the other.

    Attributes:
        translated: "fixed" or "moving", which volume.
        direction: Of the model.
        source: The contrast that the volume has.
        target: The contrast that it gets.
    """

    translated: str
    direction: str
    source: str
    target: str


def ways_of(model: StyleModel, fixed: Volume, moving: Volume) -> tuple[list[Way], str]:
    """Find the ways, the one with the smaller errors on left-out patients first.

    A volume of which the recogniser is not sure is taken for what the model needs beside the other, known one.

    Args:
        model: A style of one input.
        fixed: Scalar 3-D.
        moving: Scalar 3-D.

    Returns:
        The ways, and a sentence on what the two were taken for, or why there is no way.
    """
    card, seen = model.card, {"fixed": recognise(fixed), "moving": recognise(moving)}
    ways = []
    for translated, other in (("moving", "fixed"), ("fixed", "moving")):
        for direction in card.directions:
            if _goes(card, direction, seen[translated], seen[other]):
                ends = card.domain_from(direction).name, card.domain_to(direction).name
                ways.append(Way(translated, direction, *ends))
    kinds = {role: verdict.kind or "not known" for role, verdict in seen.items()}
    what = f"by the recogniser the fixed volume is {kinds['fixed']} and the moving one {kinds['moving']}"
    if not ways:
        names = " and ".join(card.names)
        return [], f"The model {card.name} is for {names}, but {what}"
    return sorted(ways, key=lambda way: _untrusted(model, way.direction)), what


def _goes(card: ModelCard, direction: str, start: Verdict, end: Verdict) -> bool:
    """Whether a direction leads from one image to the contrast of the other."""
    source, target = card.domain_from(direction), card.domain_to(direction)
    if source.inputs or source.channels != 1 or target.channels != 1:
        return False
    first, second = fits(start, source), fits(end, target)
    return (first and second) or (first and not end.is_known) or (second and not start.is_known)


def _untrusted(model: StyleModel, direction: str) -> float:
    """Largest share of a left-out patient's body that told no more than one grey."""
    calibration, _ = calibration_of(model, direction)
    usual = None if calibration is None else calibration.ranges.get("untrusted_share")
    return UNKNOWN_SHARE if usual is None else usual.high
