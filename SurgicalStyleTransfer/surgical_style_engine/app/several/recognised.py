"""Which of a model's domains an image belongs to, by what it is recognised as."""

from __future__ import annotations

from surgical_style_engine.inference.fit.misfit import fits
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.volumes.recognise.verdict import recognise
from surgical_style_engine.volumes.volume import Volume, check_volume


def domain_of(card: ModelCard, volume: Volume, title: str) -> tuple[str, str]:
    """Find the domain of an image.

    Args:
        card: of a model for many domains.
        volume: the image.
        title: what sentences about an unusable one begin with.

    Returns:
        The name of the domain, empty where the image is not known to be of any or voxels, header and name disagree,
        and the sentence that says what it is.

    Raises:
        InputError: for unusable volumes.
    """
    check_volume(volume, title)
    verdict = recognise(volume)
    if verdict.disagreement:
        return "", verdict.disagreement
    fitting = [domain.name for domain in card.domains.many if fits(verdict, domain)]
    name = verdict.kind if verdict.kind in fitting else fitting[0] if fitting else ""
    return name, verdict.sentence()
