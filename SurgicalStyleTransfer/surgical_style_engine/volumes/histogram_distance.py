"""How far a volume's intensities are from those a model was trained on: the out-of-domain check's arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surgical_style_engine.common.thresholds import BODY_FROM

BINS = 32


def body_histogram(normalized: np.ndarray, bins: int = BINS) -> np.ndarray | None:
    """Count the normalised intensities of what is not air.

    Args:
        normalized: Of any shape, in [-1, 1].
        bins: How many, equal, over [-1, 1].

    Returns:
        (bins,) shares that sum to 1; None if all is air.
    """
    values = np.asarray(normalized, np.float32).ravel()
    values = values[values > BODY_FROM]
    if not values.size:
        return None
    return np.histogram(values, bins=bins, range=(-1, 1))[0] / values.size


def nearest_distance(shares: Sequence[float] | np.ndarray, known: Sequence[Sequence[float]]) -> float:
    """Return the distance (0 to 2) to the most similar of several histograms.

    Not to their mean: whole heads and extracted brains of one contrast differ more from it than another contrast may.
    """
    return min(histogram_distance(shares, other) for other in known)


def usual_distance(known: Sequence[Sequence[float]]) -> float:
    """Return the largest distance of any of these histograms to the nearest other one; 0 for a single one."""
    if len(known) < 2:
        return 0.0
    sums = np.cumsum(np.asarray(known, float), axis=1)
    largest = 0.0
    for index, row in enumerate(sums):
        distances = np.abs(row - sums).sum(axis=1)
        distances[index] = np.inf
        largest = max(largest, float(distances.min() * 2 / len(row)))
    return largest


def histogram_distance(first: Sequence[float] | np.ndarray, second: Sequence[float]) -> float:
    """Compute the earth mover's distance of two histograms (shares, equal bins over [-1, 1]).

    Returns:
        Normalised units, 0 to 2.

    Example:
        >>> histogram_distance([1, 0, 0, 0], [0, 0, 0, 1])
        1.5
    """
    difference = np.cumsum(np.asarray(first, float)) - np.cumsum(np.asarray(second, float))
    return float(np.abs(difference).sum() * 2 / len(difference))
