"""What a synthetic image's header says of itself, so that it never passes for an acquired one.

The notes themselves come from whoever knows the model (``models.provenance.synthetic_notes``).
"""

from __future__ import annotations


def summary(notes: dict[str, str]) -> str:
    """Say the notes in the 79 characters that a NIfTI header has room for.

    Args:
        notes: Header fields by name, as ``models.provenance.synthetic_notes`` gives them.

    Returns:
        Such as "SYNTHETIC T2w from T1w by NAME 0123456789ab".

    Example:
        >>> notes = {"SyntheticTo": "T2w", "SyntheticFrom": "T1w", "StyleModel": "head", "StyleModelSHA256": "12" * 32}
        >>> summary(notes)
        'SYNTHETIC T2w from T1w by head 121212121212'
    """
    digest = notes.get("StyleModelSHA256", "")[:12]
    text = f"SYNTHETIC {notes['SyntheticTo']} from {notes['SyntheticFrom']} by {notes['StyleModel']}"
    return f"{text[: 79 - len(digest) - 1]} {digest}".strip()
