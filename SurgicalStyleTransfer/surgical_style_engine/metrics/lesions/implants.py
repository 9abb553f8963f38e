"""Lesions of known size and contrast set into real scans: how small one may be and still survive a translation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surgical_style_engine.volumes.filters import Spacing, gaussian

from .components import GAP_MM, RING_MM, Contrast, contrast_between, depth_mm, distance_mm
from .invented import BRIGHT
from .ledger import VISIBLE

DIAMETERS_MM = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0)
# What an implanted lesion looks like in the source: the median difference to their surroundings (of a range of 2) of
# the training patients' real lesions that are visible there, the usual way round (benchmarks/quality/lesions.py).
TYPICAL_DIFFERENCE = {"T1w": -0.27, "T1w-Gd": -0.19, "T2w": 0.23, "FLAIR": 0.39}
SURVIVING = 0.9  # part of the implanted lesions of a diameter that must be visible
DEEP_MM = 4.0  # between an implanted lesion and the brain's edge, and known lesions
QUIET = 0.3  # part of the brain, the most even one, that implanted lesions are set into
EDGE_MM = 1.0  # over which an implanted lesion fades
_SEED = 0


@dataclass(frozen=True)
class Implant:
    """A sphere: its centre (z, y, x) in voxels and its diameter in mm."""

    centre: tuple[int, int, int]
    diameter_mm: float


@dataclass(frozen=True)
class Trial:
    """What became of one implanted lesion.

    Attributes:
        diameter_mm: Of the sphere.
        source_cnr: Its contrast-to-noise ratio in the source, positive.
        cnr: That in the translation, positive where it looks as lesions do in the target contrast.
    """

    diameter_mm: float
    source_cnr: float
    cnr: float


def choose_places(
    image: np.ndarray,
    region: np.ndarray,
    spacing: Spacing,
    labels: np.ndarray | None = None,
    diameters: Sequence[float] = DIAMETERS_MM,
    seed: int = _SEED,
) -> list[Implant]:
    """Places for one lesion of each diameter, drawn from the even parts of a brain, far enough from each other.

    Args:
        image: (z, y, x), the source.
        region: Bool (z, y, x), the brain.
        spacing: Millimetres along z, y, x.
        labels: Known lesions, (z, y, x), to keep away from.
        diameters: In mm.
        seed: Of the draw.

    Returns:
        From the largest down; what finds no place is left out.
    """
    values = np.asarray(image, np.float32)
    deep = depth_mm(region, spacing)
    if labels is not None and np.asarray(labels).any():
        deep = np.minimum(deep, distance_mm(np.asarray(labels) != 0, spacing))
    variance = gaussian(values**2, 2.0, spacing) - gaussian(values, 2.0, spacing) ** 2
    if not np.asarray(region, bool).any():
        return []
    quiet = variance <= np.quantile(variance[region], QUIET)
    places = np.argwhere(quiet & (deep > DEEP_MM + min(diameters) / 2))
    order = np.random.default_rng(seed).permutation(len(places))
    steps = np.asarray(spacing)
    chosen: list[Implant] = []
    for diameter in sorted(diameters, reverse=True):
        for index in order:
            place = places[index]
            apart = all(
                np.linalg.norm((place - other.centre) * steps)
                > (diameter + other.diameter_mm) / 2 + 2 * RING_MM + GAP_MM
                for other in chosen
            )
            if apart and deep[tuple(place)] > DEEP_MM + diameter / 2:
                z, y, x = (int(value) for value in place)
                chosen.append(Implant((z, y, x), float(diameter)))
                break
    return chosen


def implanted(image: np.ndarray, implants: Iterable[Implant], spacing: Spacing, difference: float) -> np.ndarray:
    """An image with lesions set into it; texture and noise of the scan stay below them.

    Args:
        image: (z, y, x), normalised to [-1, 1].
        implants: Where, and how large.
        spacing: Millimetres along z, y, x.
        difference: What is added to the normalised intensities, such as -0.27.

    Returns:
        float32 (z, y, x) in [-1, 1].
    """
    result = np.array(image, np.float32)
    for implant in implants:
        box, profile, _ = _sphere(implant, result.shape, spacing)
        result[box] += np.float32(difference) * profile
    return np.clip(result, -1, 1)


def trials(
    image: np.ndarray,
    translate: Callable[[np.ndarray], np.ndarray],
    implants: Sequence[Implant],
    region: np.ndarray,
    spacing: Spacing,
    difference: float,
    polarity: str = BRIGHT,
    plain: np.ndarray | None = None,
) -> list[Trial]:
    """Translate a scan with and without lesions, and measure what is left of each.

    The difference of both translations at the lesion, less that around it, is divided by the noise that the
    translation without it has around that place.

    Args:
        image: The source, (z, y, x), normalised to [-1, 1].
        translate: From such an image to its translation, normalised.
        implants: As ``choose_places`` gives them.
        region: Bool (z, y, x), the brain.
        spacing: Millimetres along z, y, x.
        difference: Of the lesions in the source, in normalised units.
        polarity: "bright" or "dark": how lesions look in the target contrast.
        plain: The translation of the image as it is, where that is known already.
    """
    changed = implanted(image, implants, spacing, difference)
    before = translate(np.asarray(image, np.float32)) if plain is None else plain
    after = translate(changed)
    sign = 1 if polarity == BRIGHT else -1
    result = []
    for implant in implants:
        box, profile, around = _sphere(implant, changed.shape, spacing)
        around &= np.asarray(region, bool)[box]
        core = profile >= 0.5
        if not around.any():
            continue
        shown = _added(changed[box] - image[box], image[box], core, around)
        left = _added(after[box] - before[box], before[box], core, around)
        direction = 1 if difference > 0 else -1
        result.append(Trial(implant.diameter_mm, direction * shown.to_noise, sign * left.to_noise))
    return result


def survival(results: Iterable[Trial]) -> list[dict[str, Any]]:
    """How many implanted lesions of each diameter are visible in the translation, of those visible in the source.

    Returns:
        {diameter_mm, trials, survived, source_cnr (median), cnr (median)} each, ascending.
    """
    visible = [trial for trial in results if trial.source_cnr >= VISIBLE]
    rows = []
    for diameter in sorted({trial.diameter_mm for trial in visible}):
        same = [trial for trial in visible if trial.diameter_mm == diameter]
        rows.append(
            {
                "diameter_mm": diameter,
                "trials": len(same),
                "survived": sum(trial.cnr >= VISIBLE for trial in same),
                "source_cnr": round(float(np.median([trial.source_cnr for trial in same])), 2),
                "cnr": round(float(np.median([trial.cnr for trial in same])), 2),
            }
        )
    return rows


def smallest_surviving(rows: Sequence[dict[str, Any]], share: float = SURVIVING) -> float | None:
    """The smallest diameter in mm from which on lesions of every diameter survive so often; None if none does.

    >>> rows = [{"diameter_mm": d, "trials": 10, "survived": s} for d, s in ((2, 9), (3, 5), (4, 9), (5, 10))]
    >>> smallest_surviving(rows)
    4
    """
    smallest = None
    for row in sorted(rows, key=lambda row: -row["diameter_mm"]):
        if row["survived"] < share * row["trials"]:
            break
        smallest = row["diameter_mm"]
    return smallest


def _sphere(
    implant: Implant, shape: tuple[int, ...], spacing: Spacing
) -> tuple[tuple[slice, ...], np.ndarray, np.ndarray]:
    """(part of the volume, the lesion's share of each voxel there, bool: its surroundings there)."""
    radius = implant.diameter_mm / 2
    reach = radius + RING_MM + 1
    box, axes = [], []
    for centre, count, mm in zip(implant.centre, shape, spacing, strict=True):
        first, last = max(0, int(centre - reach / mm)), min(count, int(centre + reach / mm) + 2)
        box.append(slice(first, last))
        axes.append((np.arange(first, last) - centre) * mm)
    z, y, x = np.meshgrid(*axes, indexing="ij")
    away = np.sqrt(z**2 + y**2 + x**2) - radius
    profile = np.clip(0.5 - away / EDGE_MM, 0, 1).astype(np.float32)
    return tuple(box), profile, (away > GAP_MM) & (away <= RING_MM)


def _added(change: np.ndarray, before: np.ndarray, core: np.ndarray, around: np.ndarray) -> Contrast:
    """What a change adds to the contrast of a place, beside the noise around it."""
    noise = contrast_between(before[around], before[around]).noise
    return Contrast(float(change[core].mean() - np.median(change[around])), noise)
