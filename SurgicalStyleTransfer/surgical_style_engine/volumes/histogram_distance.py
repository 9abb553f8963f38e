"""How far a volume's intensities are from those a model was trained on: the out-of-domain check's arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surgical_style_engine.common.thresholds import BODY_FROM

BINS = 32


def body_histogram(normalized: np.ndarray, bins: int = BINS) -> np.ndarray | None:
    """Normalised intensities of any shape -> shares (bins,) over [-1, 1] of what is not air; None if all is air."""
    values = np.asarray(normalized, np.float32).ravel()
    values = values[values > BODY_FROM]
    if not values.size:
        return None
    return np.histogram(values, bins=bins, range=(-1, 1))[0] / values.size


def nearest_distance(shares: Sequence[float], known: Sequence[Sequence[float]]) -> float:
    """Distance to the most similar of several histograms. Not to their mean: whole heads and extracted brains of one
    contrast differ more from it than another contrast may."""
    return min(histogram_distance(shares, other) for other in known)


def usual_distance(known: Sequence[Sequence[float]]) -> float:
    """The largest distance of any of these histograms to the nearest other one; 0 for a single one."""
    others = [[h for j, h in enumerate(known) if j != i] for i in range(len(known))]
    return max((nearest_distance(h, rest) for h, rest in zip(known, others, strict=True) if rest), default=0.0)


def histogram_distance(first: Sequence[float], second: Sequence[float]) -> float:
    """Earth mover's distance of two histograms (shares, equal bins over [-1, 1]), in normalised units: 0 to 2."""
    difference = np.cumsum(np.asarray(first, float)) - np.cumsum(np.asarray(second, float))
    return float(np.abs(difference).sum() * 2 / len(difference))
