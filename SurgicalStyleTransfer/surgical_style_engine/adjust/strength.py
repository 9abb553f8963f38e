"""Automatic strength: as much of the translation as keeps the anatomy."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.metrics.structure import structure_agreement

STEPS = 10  # strengths tried from the top down before bisection
HALVINGS = 4
SEARCHED = 24  # slices that the search looks at; what it finds is confirmed on all


def consistency_at(
    source: np.ndarray, translated: np.ndarray, strength: float, region: np.ndarray | None = None, axis: int = 0
) -> float:
    """Semantic Consistency of the input and its blend with the translation.

    Args:
        source: (c, z, y, x), normalised.
        translated: the same of the translation.
        strength: of the blend; at 0 the consistency is 1.
        region: bool (z, y, x) that is judged; everywhere if None.
        axis: across which slices are taken.
    """
    if strength == 0:
        return 1.0
    blend = translated if strength == 1 else source + np.float32(strength) * (translated - source)
    return structure_agreement(source, blend, region, slice_axis=axis)[0]


def automatic_strength(
    source: np.ndarray, translated: np.ndarray, least: float, region: np.ndarray | None = None, axis: int = 0
) -> tuple[float, float]:
    """The largest strength that keeps the anatomy.

    Contrasts that are inverted cancel out halfway, so the consistency need not fall evenly: strengths are tried from
    1 down in tenths, then bisected between the first that is good enough and the one above. Strength 0 is the input,
    whose consistency is 1, so there always is an answer.

    Args:
        source: (c, z, y, x), normalised.
        translated: the same of the translation.
        least: Semantic Consistency to be kept, in [0, 1].
        region: bool (z, y, x) that is judged; everywhere if None.
        axis: across which slices are taken.

    Returns:
        (strength, consistency).
    """
    searched = _some_slices(source, translated, region, axis)

    def enough(strength: float) -> bool:
        return consistency_at(searched[0], searched[1], strength, searched[2], axis) >= least

    low = next((step / STEPS for step in range(STEPS, 0, -1) if enough(step / STEPS)), 0.0)
    if low < 1:
        high = low + 1 / STEPS
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if enough(middle) else (low, middle)
    # All slices have the last word; where some that were not searched are worse, the strength gives way.
    while low > 0:
        consistency = consistency_at(source, translated, low, region, axis)
        if consistency >= least:
            return float(low), float(consistency)
        low = 0.0 if low < 0.02 else low - max(0.01, 0.05 * low)
    return 0.0, 1.0


def _some_slices(
    source: np.ndarray, translated: np.ndarray, region: np.ndarray | None, axis: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """At most SEARCHED slices, evenly spread over the region."""
    inside = np.ones(source.shape[1:], bool) if region is None else region
    used = np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis)))
    if len(used) <= SEARCHED:
        return source, translated, region
    chosen = used[np.linspace(0, len(used) - 1, SEARCHED).round().astype(int)]
    return (
        source.take(chosen, 1 + axis),
        translated.take(chosen, 1 + axis),
        None if region is None else region.take(chosen, axis),
    )
