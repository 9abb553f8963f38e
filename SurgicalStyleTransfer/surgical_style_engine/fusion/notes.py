"""What a fused volume says of itself."""

from __future__ import annotations

from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.models.provenance import synthetic_notes

from .result import Fusion


def fusion_notes(fusion: Fusion) -> dict[str, str]:
    """Header fields that say what the volume is; nothing of the patient."""
    return {
        "Synthetic": "yes",
        "SyntheticFrom": f"{len(fusion.names)} volumes",
        "SyntheticTo": "fusion",
        "StyleModel": f"{fusion.method} fusion",
        "IntendedUse": "For viewing; the values are no measurements.",
    }


def learned_notes(card: ModelCard) -> dict[str, str]:
    """The same for a learned fusion: by which model it was made."""
    listed = " + ".join(part.name for part in card.domains.source.inputs)
    return {**synthetic_notes(card, "forward"), "SyntheticFrom": listed}
