"""The lesion ledger: which lesions of the real image a translation shows, and which it adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.filters import Spacing

from .components import Component, components, contrast_of
from .invented import BRIGHT, DARK, LEAST_MM, inventions

VISIBLE = 1.0  # contrast-to-noise ratio from which a lesion is visible
KEPT = 0.5  # of the real image's contrast, below which a visible lesion is weakened
FOUND, WEAKENED, LOST, UNSEEN = STATES = ("found", "weakened", "lost", "unseen")
EDGES_MM = (3.0, 5.0, 10.0, 20.0)  # classes of diameter begin there; the last one has no end
_POLARITIES = {"T1w": DARK, "T2w": BRIGHT, "FLAIR": BRIGHT, "T1w-Gd": BRIGHT, "PD": BRIGHT}


@dataclass(frozen=True, eq=False)
class LedgerCase:
    """What a ledger is made of.

    Attributes:
        translation: (z, y, x), normalised to [-1, 1].
        real: The real image of the target contrast on its grid, normalised.
        labels: Lesions, (z, y, x), not zero inside; only their components are told apart.
        region: Bool (z, y, x), where the real image has voxels of the brain (or of the body).
        spacing: Millimetres along z, y, x.
        target: The target contrast's name, such as "T2w"; of one not known, lesions look as most of those labelled.
    """

    translation: np.ndarray
    real: np.ndarray
    labels: np.ndarray
    region: np.ndarray
    spacing: Spacing
    target: str = ""


def lesion_ledger(case: LedgerCase) -> dict[str, Any]:
    """Account for the lesions of one volume.

    A lesion is a connected component of the labels of at least 3 mm. Its contrast-to-noise ratio is the difference of
    its median to that of its surroundings (1.5 to 6 mm from its edge), over the robust standard deviation of these. It
    is *unseen* where that is below 1 in the real image; else *found* where it is at least 1 in the translation too,
    with the same sign and at least half of the contrast; *weakened* with less than half; *lost* below 1. For what is
    *invented* see ``inventions``.

    Returns:
        polarity, region_ml, by_diameter (a dict a class: from_mm, to_mm or None, found, weakened, lost, unseen,
        invented), lesions (diameter_mm, cnr_real, cnr, contrast_kept, state), invented_mm (diameters), and the totals
        of ``summed``.

    Raises:
        InputError: For arrays of different sizes, an empty region, or labels without a lesion in it.
    """
    region = np.asarray(case.region, bool)
    shapes = {np.shape(array) for array in (case.translation, case.real, case.labels, region)}
    if len(shapes) != 1:
        raise InputError("The lesions, the translation and the real image are not on one grid.")
    if not region.any():
        raise InputError("There is no region to account for lesions in.")
    inside = (np.asarray(case.labels) != 0) & region
    if not inside.any():
        raise InputError("The labels have no lesion within the region that is judged.")
    entries = _entries(case, inside, region)
    polarity = _POLARITIES.get(case.target) or _most(entries)
    new = inventions(case.translation, case.real, region, case.spacing, polarity, case.labels)
    ledger = {
        "polarity": polarity,
        "region_ml": round(float(region.sum() * np.prod(case.spacing) / 1000), 1),
        "lesions": entries,
        "invented_mm": [round(entry.diameter_mm, 1) for entry in new],
    }
    return {**ledger, **_classes([ledger])}


def summed(ledgers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The ledgers of several volumes as one.

    Args:
        ledgers: As ``lesion_ledger`` gives them.

    Returns:
        volumes, polarity, region_ml, by_diameter, found, weakened, lost, unseen, invented, invented_per_100_ml, and
        contrast_kept (median over the lesions that are visible in the real image; None without any).
    """
    return {
        "volumes": len(ledgers),
        "polarity": ledgers[0]["polarity"] if ledgers else BRIGHT,
        "region_ml": round(sum(ledger["region_ml"] for ledger in ledgers), 1),
        **_classes(ledgers),
    }


def _entries(case: LedgerCase, inside: np.ndarray, region: np.ndarray) -> list[dict[str, Any]]:
    entries = []
    for component in components(inside, case.spacing, region, LEAST_MM):
        real, other = contrast_of(case.real, component), contrast_of(case.translation, component)
        if real is not None and other is not None:
            entries.append(_entry(component, real.difference, other.difference, real.to_noise, other.to_noise))
    return entries


def _entry(
    component: Component, difference_real: float, difference: float, cnr_real: float, cnr: float
) -> dict[str, Any]:
    sign = 1 if cnr_real >= 0 else -1
    kept = difference / difference_real if difference_real else 0.0
    if sign * cnr_real < VISIBLE:
        state = UNSEEN
    elif sign * cnr < VISIBLE:
        state = LOST
    else:
        state = FOUND if kept >= KEPT else WEAKENED
    return {
        "diameter_mm": round(component.diameter_mm, 1),
        "cnr_real": round(cnr_real, 2),
        "cnr": round(cnr, 2),
        "contrast_kept": round(kept, 3),
        "state": state,
    }


def _most(entries: Sequence[Mapping[str, Any]]) -> str:
    """How most of the lesions look, counted by volume."""
    weight = sum(np.sign(entry["cnr_real"]) * entry["diameter_mm"] ** 3 for entry in entries)
    return DARK if weight < 0 else BRIGHT


def _classes(ledgers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    lesions = [entry for ledger in ledgers for entry in ledger["lesions"]]
    new = [diameter for ledger in ledgers for diameter in ledger["invented_mm"]]
    volume = sum(ledger["region_ml"] for ledger in ledgers)
    rows = []
    for first, last in zip(EDGES_MM, (*EDGES_MM[1:], np.inf), strict=True):
        states = [entry["state"] for entry in lesions if first <= entry["diameter_mm"] < last]
        rows.append(
            {
                "from_mm": first,
                "to_mm": None if np.isinf(last) else last,
                **{state: states.count(state) for state in STATES},
                "invented": sum(first <= diameter < last for diameter in new),
            }
        )
    kept = [entry["contrast_kept"] for entry in lesions if entry["state"] != UNSEEN]
    return {
        "by_diameter": rows,
        **{state: sum(row[state] for row in rows) for state in STATES},
        "invented": len(new),
        "invented_per_100_ml": round(100 * len(new) / volume, 3) if volume else 0.0,
        "contrast_kept": round(float(np.median(kept)), 3) if kept else None,
    }
