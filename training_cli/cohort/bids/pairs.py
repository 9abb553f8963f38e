"""Which images of data sets belong to one visit of one subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surgical_style_engine.errors import InputError

from .dataset import Image

# Entities by which images of one visit differ although one is meant to go with the other.
_APART = ("sub", "ses", "ce", "desc", "space", "res", "mod")


def matched(images: Sequence[Image], candidates: Sequence[Image], what: str) -> list[Image | None]:
    """For each image, the candidate of the same subject and session; of several, the one with the same run and so on.

    Args:
        images: Those that something is wanted for.
        candidates: Of one suffix.
        what: What they are, for messages: "reference".

    Returns:
        None where there is none.

    Raises:
        InputError: Where two fit equally well.
    """
    visits: dict[tuple[str, str | None], list[Image]] = {}
    for candidate in candidates:
        visits.setdefault(_visit(candidate.name.entities), []).append(candidate)
    return [_one(image, visits.get(_visit(image.name.entities), []), what) for image in images]


def _one(image: Image, there: Sequence[Image], what: str) -> Image | None:
    others = [candidate for candidate in there if candidate.path != image.path]
    if len(others) < 2:
        return next(iter(others), None)
    alike = [each for each in others if _acquisition(each.name.entities) == _acquisition(image.name.entities)]
    if len(alike) == 1:
        return alike[0]
    names = ", ".join(each.path.name for each in (alike or others)[:3])
    raise InputError(f"Several images could be the {what} of {image.path.name}: {names}.")


def _visit(entities: Mapping[str, str]) -> tuple[str, str | None]:
    return entities["sub"], entities.get("ses")


def _acquisition(entities: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in entities.items() if key not in _APART}
