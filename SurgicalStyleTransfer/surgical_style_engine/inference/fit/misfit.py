"""What a style expects beside what an image is: what is certainly wrong is refused, the rest is a warning."""

from __future__ import annotations

from dataclasses import dataclass

from surgical_style_engine.models.card import Domain, ModelCard
from surgical_style_engine.volumes.recognise.kinds import (
    CONTRASTS,
    IMAGING,
    OTHER,
    T1W,
    kind_of_domain,
    plain_modality,
    same_family,
)
from surgical_style_engine.volumes.recognise.verdict import Verdict
from surgical_style_engine.volumes.recognise.voxels import LIKE_HU


@dataclass(frozen=True)
class Misfit:
    """What does not fit.

    Attributes:
        refusal: a sentence why the style is not for this image; empty where that is not certain.
        contrast: a sentence where the contrast is another, or the modality seems to be; empty where it is not known.
        by_name: only the image's name says so.
        others: further sentences: sources that disagree, an input that is synthetic already.
    """

    refusal: str
    contrast: str
    others: list[str]
    by_name: bool = False

    @property
    def warnings(self) -> list[str]:
        """All that is to be told of an image that is translated."""
        return [*([self.contrast] if self.contrast else []), *self.others]


def misfit(verdict: Verdict, card: ModelCard, domain: Domain, name: str) -> Misfit:
    """Compare what an image is with what a style takes.

    Args:
        verdict: on the image.
        card: of the style.
        domain: of the style that the translation starts in; one that states no contrast fits all of its modality.
        name: of the image, for the sentence that refuses it.

    Returns:
        What does not fit; nothing where nothing is known.
    """
    kind = kind_of_domain(domain.name, domain.modality, domain.units)
    expected = plain_modality(domain.modality)
    shown = plain_modality(verdict.modality)
    if shown in IMAGING and expected in IMAGING and shown != expected:
        by = "its header" if verdict.sources and verdict.sources[0].startswith("the header") else sources_of(verdict)
        what = verdict.modality if by == "its header" else verdict.kind
        if verdict.certain:
            sentence = f"{name} is {what} by {by}, but the model {card.name} takes {expected} ({domain.name})."
            return Misfit(sentence, "", _always(verdict))
        looks = (
            f"The image looks like {verdict.kind or verdict.modality}; the model expects {expected} ({domain.name})."
        )
        return Misfit("", looks, _always(verdict))
    contrast = ""
    if kind in CONTRASTS and (verdict.kind == OTHER or verdict.kind in CONTRASTS and not _fits(verdict, kind)):
        what = "MR of another contrast" if verdict.kind == OTHER else verdict.kind
        contrast = (
            f"The image is {what} by {sources_of(verdict)}, but the model {card.name} translates {domain.name}: "
            "what it makes of this image cannot be trusted."
        )
    others = _always(verdict)
    if not shown and not verdict.is_known and expected == "MR" and verdict.look.reason == LIKE_HU:
        others.append(f"The image may be a CT: {LIKE_HU}.")
    return Misfit("", contrast, others, all(source.startswith("the name") for source in verdict.sources))


def fits(verdict: Verdict, domain: Domain) -> bool:
    """Whether an image is of the kind that a style's domain names; never where either is not known."""
    kind = kind_of_domain(domain.name, domain.modality, domain.units)
    return bool(kind) and verdict.is_known and (verdict.kind == kind or kind in CONTRASTS and _fits(verdict, kind))


def sources_of(verdict: Verdict) -> str:
    """Who says what the image is."""
    names = verdict.sources
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _fits(verdict: Verdict, kind: str) -> bool:
    """The same contrast; T1w with and without agent fit each other unless it is known which it is."""
    if verdict.kind == kind:
        return True
    return same_family(kind, T1W) and same_family(verdict.kind, T1W) and not verdict.agent_known


def _always(verdict: Verdict) -> list[str]:
    """What is said of an image whatever the style expects."""
    sentences = [verdict.disagreement] if verdict.disagreement else []
    if verdict.synthetic:
        sentences.append(
            f"The image is synthetic already, as {verdict.synthetic} says: errors add up; translate the acquired image."
        )
    return sentences
