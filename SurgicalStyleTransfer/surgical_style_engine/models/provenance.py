"""What a model's images say of themselves, so that none ever passes for an acquired one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .card import ModelCard


class Described(Protocol):
    """What was done after the network, as far as headers speak of it; ``adjust.options.Adjustments`` is one."""

    @property
    def match(self) -> object | None:
        """Whose intensities the image follows; None for nobody's."""
        ...

    def sentence(self) -> str:
        """Say what was adjusted; empty if nothing was."""
        ...


def misfit_notes(refusal: str, warnings: Sequence[str]) -> dict[str, str]:
    """Say in header fields what of the input was not what the model takes.

    Args:
        refusal: Why the input would have been refused, where the user insisted; else empty.
        warnings: Sentences on its contrast, and on whether it was synthetic already.

    Returns:
        Header fields by name; none where everything fitted.
    """
    forced = {"SyntheticForced": refusal} if refusal else {}
    return {**forced, **({"SyntheticDoubts": " ".join(warnings)} if warnings else {})}


def synthetic_notes(
    card: ModelCard, direction: str, strength: float = 1.0, adjustments: Described | None = None
) -> dict[str, str]:
    """Say in header fields that an image is synthetic, from which domain into which, by which weights.

    Args:
        card: The model's.
        direction: "forward" or "backward".
        strength: Part of the translation in the blend with the input, 0 to 1.
        adjustments: Said in words, where there are any.

    Returns:
        Header fields by name. They hold nothing of the patient.
    """
    adjusted = adjustments.sentence() if adjustments is not None else ""
    return {
        "Synthetic": "yes",
        "SyntheticFrom": card.domain_from(direction).name,
        "SyntheticTo": card.domain_to(direction).name,
        "SyntheticStrength": f"{strength:.4g}",
        **({"SyntheticAdjustments": adjusted} if adjusted else {}),
        "StyleModel": card.name,
        "StyleModelSHA256": card.weights.sha256 if card.weights else "",
        "IntendedUse": " ".join(card.intended_use.split()),
    }
