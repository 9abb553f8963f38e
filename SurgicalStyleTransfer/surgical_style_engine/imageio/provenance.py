"""What a synthetic image's header says of itself, so that it never passes for an acquired one.

The notes themselves come from whoever knows the model (``models.provenance.synthetic_notes``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import SimpleITK

_MARK = "SYNTHETIC "  # that the summary begins with


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
    forced = " FORCED" if "SyntheticForced" in notes else ""
    text = f"{_MARK}{notes['SyntheticTo']} from {notes['SyntheticFrom']}{forced} by {notes['StyleModel']}"
    return f"{text[: 79 - len(digest) - 1]} {digest}".strip()


def synthetic_mark(reader: SimpleITK.ImageFileReader) -> dict[str, str]:
    """What a file's header says of being synthetic, in this program's own words.

    Args:
        reader: That has read the header of a NRRD, MetaImage or NIfTI file.

    Returns:
        The field "Synthetic"; empty for other images. Nothing else of the header is kept.
    """
    texts = {key: reader.GetMetaData(key) for key in ("Synthetic", "descrip") if reader.HasMetaDataKey(key)}
    is_marked = texts.get("Synthetic", "").strip().lower() == "yes" or texts.get("descrip", "").startswith(_MARK)
    return {"Synthetic": "yes"} if is_marked else {}
