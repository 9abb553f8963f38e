"""What a style's card says of lesions, as a sentence or two."""

from __future__ import annotations

from slicer.i18n import tr as _


def lesion_text(entries: object, direction: str) -> str:
    """The sentences of a direction; empty where the card says nothing of lesions or nothing that can be read.

    Args:
        entries: The card's ``lesions``: a table a direction.
        direction: "forward" or "backward".
    """
    try:
        entry = entries[direction]
        sentences = [_implanted(entry), _real(entry)]
        return " ".join(sentence for sentence in sentences if sentence)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return ""


def _implanted(entry: dict) -> str:
    rows = entry["implanted"]
    if not rows:
        return ""
    smallest = entry.get("smallest_mm")
    if smallest is None:
        largest = max(float(row["diameter_mm"]) for row in rows)
        return _("Lesions of any size tried (up to {largest:g} mm) may vanish.").format(largest=largest)
    if smallest <= min(float(row["diameter_mm"]) for row in rows):
        return _("Lesions of {smallest:g} mm and more that the input shows were kept 9 times of 10.").format(
            smallest=float(smallest)
        )
    return _("Lesions under {smallest:g} mm may vanish.").format(smallest=float(smallest))


def _real(entry: dict) -> str:
    lost, seen = int(entry["lost"]), int(entry["kept"]) + int(entry["weakened"])
    invented = _("{count:.2g} spots per 100 ml were invented.").format(count=float(entry["invented_per_100_ml"]))
    if not lost + seen:
        return invented
    return _("Of {total} real lesions {lost} were lost; {invented}").format(
        total=lost + seen, lost=lost, invented=invented
    )
