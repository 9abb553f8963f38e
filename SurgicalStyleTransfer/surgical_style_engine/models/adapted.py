"""What a card says of an adaptation: from which style, on how much of a user's, and proven on what."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .card import Direction, ModelCard

ENTRY = "adapted"  # of a card's ``training``


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class KeptAside(_Strict):
    """What the adapted style was judged on, and the figures.

    Attributes:
        kind: "slices" of the volumes that were learned from, or whole "volumes".
        slices: How many.
        gap: Slices on each side of a range that belong to neither part.
        same_patient: Whether it is of a patient that was learned from.
        original: Figures of the style to begin with, by the metrics' keys.
        adapted: Figures of the adapted style.
    """

    kind: Literal["slices", "volumes"]
    slices: int = Field(ge=0)
    gap: int = Field(ge=0)
    same_patient: bool
    original: dict[str, float]
    adapted: dict[str, float]

    @property
    def what(self) -> str:
        """'12 slices kept aside, of the same patient'."""
        if self.kind == "volumes":
            return f"a volume kept aside ({self.slices} slices)"
        return f"{self.slices} slices kept aside, of the same patient"


class Adapted(_Strict):
    """The entry ``adapted`` of a card's ``training``.

    Attributes:
        style: Name of the style to begin with.
        sha256: Of its weights.
        pairs: Registered pairs that were given; 0 for unpaired volumes.
        volumes: Unpaired volumes that were given.
        slices: How many were learned from.
        minutes: Of training.
        directions: Which became better; the others have the weights of the style to begin with.
        aside: By direction, what it was judged on.
        warnings: Sentences on the volumes.
    """

    style: str
    sha256: str
    pairs: int = Field(ge=0)
    volumes: int = Field(ge=0)
    slices: int = Field(ge=0)
    minutes: float = Field(ge=0)
    directions: list[Direction]
    aside: dict[Direction, KeptAside]
    warnings: list[str] = []

    @property
    def learned(self) -> str:
        """'38 slices of one registered pair of a user's'."""
        number = self.pairs or self.volumes
        count = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}.get(number, str(number))
        kind = "registered pair" if self.pairs else "volume"
        return f"{self.slices} slices of {count} {kind}{'s' * (number != 1)} of a user's"

    @property
    def sentence(self) -> str:
        """What whoever uses the style has to know."""
        same = any(entry.same_patient for entry in self.aside.values())
        whose = "slices of the same patient" if same else "one volume"
        return (
            f"Adapted to one scanner with {self.learned}, and proven on {whose} alone: other scanners and patients may "
            "come out worse than with the style that it was made of, and its error bound is not calibrated."
        )

    @property
    def description(self) -> str:
        """How it was made, with both figures of what was kept aside."""
        parts = [
            f"Adapted from {self.style} (SHA-256 {self.sha256}) with {self.learned}, {self.minutes:.1f} minutes of "
            "training."
        ]
        for direction, entry in self.aside.items():
            kept = "" if direction in self.directions else " Not better: this direction keeps its weights."
            numbers = ", ".join(
                f"{key} {entry.adapted[key]:.4g} (before {entry.original[key]:.4g})"
                for key in entry.adapted
                if key in entry.original
            )
            gap = f", with a gap of {entry.gap} slices to what was learned" if entry.gap else ""
            parts.append(f"On {entry.what}{gap}, {direction}: {numbers}.{kept}")
        return " ".join([*parts, *self.warnings])


def adapted_of(card: ModelCard) -> Adapted | None:
    """What a card says of an adaptation; None of a style that is none, and of an entry that is not this program's."""
    values = card.training.get(ENTRY)
    try:
        return None if values is None else Adapted.model_validate(values)
    except ValidationError:
        return None


def adapted_sentences(card: ModelCard) -> list[str]:
    """What is said with every translation of an adapted style; nothing of others."""
    adapted = adapted_of(card)
    return [] if adapted is None else [adapted.sentence]
