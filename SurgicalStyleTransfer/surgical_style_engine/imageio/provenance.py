"""What a synthetic image says of itself, so that it never passes for an acquired one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surgical_style_engine.adjust.options import Adjustments
    from surgical_style_engine.models.folder import Direction, ModelCard


def synthetic_notes(
    card: ModelCard, direction: Direction, strength: float = 1.0, adjustments: Adjustments | None = None
) -> dict[str, str]:
    """Header fields of a translation, by name: that it is synthetic, from which domain into which, by which weights.

    adjustments: said in words, where there are any. Holds nothing of the patient.
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


def summary(notes: dict[str, str]) -> str:
    """The same in the 79 characters that a NIfTI header has room for: 'SYNTHETIC T2w from T1w by NAME 0123456789ab'."""
    digest = notes.get("StyleModelSHA256", "")[:12]
    text = f"SYNTHETIC {notes['SyntheticTo']} from {notes['SyntheticFrom']} by {notes['StyleModel']}"
    return f"{text[: 79 - len(digest) - 1]} {digest}".strip()
