"""The card of an adapted style: what it was made of, how, and how it was proven. Nothing in it names a patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surgical_style_engine.models.adapted import Adapted, KeptAside
from surgical_style_engine.models.card import Direction, Domain, ModelCard
from surgical_style_engine.volumes.histogram_distance import usual_distance

from .proof import Proof
from .request import AdaptRequest
from .split import Aside

DECIMALS = 4


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of the training and the proof.

    Attributes:
        proofs: of each direction of the style.
        aside: what was judged.
        slices: how many were learned from.
        minutes: of training.
        warnings: sentences on the volumes.
    """

    proofs: Mapping[Direction, Proof]
    aside: Aside
    slices: int
    minutes: float
    warnings: Sequence[str]

    @property
    def better(self) -> list[Direction]:
        """The directions that have become better; the others keep their weights."""
        return [direction for direction, proof in self.proofs.items() if not proof.why_not]


def adapted_entry(request: AdaptRequest, outcome: Outcome) -> Adapted:
    """What the card says of the adaptation."""
    card = request.model.card
    return Adapted(
        style=card.name,
        sha256=card.stored.sha256,
        pairs=len(request.sources) if request.paired else 0,
        volumes=0 if request.paired else len(request.sources) + len(request.targets),
        slices=outcome.slices,
        minutes=round(outcome.minutes, 2),
        directions=outcome.better,
        aside={
            direction: KeptAside(
                kind=outcome.aside.kind,
                slices=outcome.aside.slices,
                gap=outcome.aside.gap,
                same_patient=outcome.aside.kind == "slices",
                original=_rounded(proof.original),
                adapted=_rounded(proof.adapted),
            )
            for direction, proof in outcome.proofs.items()
        },
        warnings=list(outcome.warnings),
    )


def adapted_card(request: AdaptRequest, trained: ModelCard, outcome: Outcome) -> ModelCard:
    """The card of the new style: the trained one's, with what the style to begin with knows of its domains.

    Args:
        request: of the adaptation.
        trained: as the training has written it.
        outcome: of training and proof.
    """
    original, entry = request.model.card, adapted_entry(request, outcome)
    domains = {}
    for side in ("source", "target"):
        own, before = getattr(trained.domains, side), getattr(original.domains, side)
        domains[side] = _joined(own, before)
    limits = [entry.sentence, *(original.training.get("limits") or [])]
    training = {
        **trained.training,
        "data": _data(original, entry),
        "notes": entry.description,
        "limits": [str(limit) for limit in limits],
        "adapted": entry.model_dump(mode="json"),
    }
    return trained.model_copy(
        update={
            "domains": trained.domains.model_copy(update=domains),
            "directions": list(original.directions),
            "training": training,
            "metrics": {_label(entry, way, request): _metrics(proof) for way, proof in outcome.proofs.items()},
            "lesions": {},
        }
    )


def _joined(own: Domain, before: Domain) -> Domain:
    """The user's typical landmarks, and what was usual before with the user's histograms added."""
    statistics = dict(before.statistics)
    known, new = before.statistics.get("histograms") or [], own.statistics.get("histograms") or []
    bins = len((known or new or [[]])[0])
    histograms = [entry for entry in (*known, *new) if len(entry) == bins]
    if histograms:
        statistics |= {"histograms": histograms, "usual_distance": round(usual_distance(histograms), 4)}
    return before.model_copy(update={"inverse": own.inverse, "statistics": statistics})


def _data(original: ModelCard, entry: Adapted) -> str:
    before = str(original.training.get("data", "")).strip()
    told = f"Then {entry.learned}, of which nothing is kept here."
    return f"{before} {told}".strip()


def _label(entry: Adapted, direction: Direction, request: AdaptRequest) -> str:
    card = request.model.card
    way = f"{card.domain_from(direction).name} to {card.domain_to(direction).name}"
    return f"{entry.aside[direction].what}, {way}"


def _metrics(proof: Proof) -> dict[str, Any]:
    return {**_rounded(proof.adapted), "baselines": {"the style to begin with": _rounded(proof.original)}}


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {key: round(value, DECIMALS) for key, value in values.items()}
