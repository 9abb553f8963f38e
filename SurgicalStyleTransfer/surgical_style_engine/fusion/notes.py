"""What a fused volume says of itself."""

from __future__ import annotations

from .fuse import Fusion


def fusion_notes(fusion: Fusion) -> dict[str, str]:
    """Header fields that say what the volume is; nothing of the patient."""
    return {
        "Synthetic": "yes",
        "SyntheticFrom": f"{len(fusion.names)} volumes",
        "SyntheticTo": "fusion",
        "StyleModel": f"{fusion.method} fusion",
        "IntendedUse": "For viewing; the values are no measurements.",
    }
