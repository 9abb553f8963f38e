"""Which styles are listed: by what is searched for, and by what a volume is, as far as its header and name say."""

from __future__ import annotations

import re

from .model_cards import Card

# Words for contrasts in the names of volumes and domains, the longer first: "T1Gd" is no "T1".
_CONTRASTS = (
    ("flair", r"flair"),
    ("t1gd", r"t1w?[-_ ]?(gd|ce|c\b|post)"),
    ("t1", r"t1"),
    ("t2", r"t2"),
    ("pd", r"\bpd"),
    ("ct", r"\bct|ct\b"),
)


def contrast_of(name: str) -> str:
    """The contrast that a name speaks of, such as "t2" for "MRBrainT2"; "" for none."""
    text = name.lower()
    return next((contrast for contrast, words in _CONTRASTS if re.search(words, text)), "")


def matches(card: Card, text: str) -> bool:
    """Whether every word of a search is in a style's title, name, domains or licence."""
    sides = card.many or [side for side in (card.source, card.target) if side is not None]
    known = " ".join([card.title, card.name, card.licence, *(f"{side.name} {side.modality}" for side in sides)]).lower()
    return all(word in known for word in text.lower().split())


def fitting_directions(card: Card, channels: int, modality: str, name: str) -> list[str]:
    """The directions of a style that a volume may be for; [] for none.

    Args:
        card: the style.
        channels: 1 for grey values, 3 or 4 for colours.
        modality: by the DICOM header; "" where nothing says it.
        name: of the volume, which may speak of its contrast.
    """
    if card.problem:
        return []
    contrast = contrast_of(name)
    fitting = []
    for direction in card.directions:
        side = card.starts_in(direction)
        known = contrast_of(side.name)
        is_grey = channels == 1
        if (side.channels == 1) != is_grey:
            continue
        if modality and side.modality and modality != side.modality:
            continue
        if contrast and known and contrast != known:
            continue
        fitting.append(direction)
    return fitting
