"""Paired differences over patients with their bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

SEED, RESAMPLES, LEVEL = 0, 10_000, 0.95


def paired_difference(first: Sequence[float | None], second: Sequence[float | None]) -> dict[str, Any]:
    """Mean of first less second over patients, with the percentile bootstrap's interval (Efron and Tibshirani, 1993).

    Patients are drawn with replacement, from a fixed seed. Of one there is no interval; of few it is too narrow.

    Args:
        first: A value a patient; None where there is none, which leaves the patient out.
        second: The same patients' of the other candidate.

    Returns:
        difference, low, high (None without an interval), patients.

    >>> paired_difference([3.0, 5.0], [1.0, 3.0])
    {'difference': 2.0, 'low': 2.0, 'high': 2.0, 'patients': 2}
    """
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    values = np.array([a - b for a, b in pairs], float)
    if not len(values):
        return {"difference": None, "low": None, "high": None, "patients": 0}
    result: dict[str, Any] = {"difference": float(values.mean()), "low": None, "high": None, "patients": len(values)}
    if len(values) > 1:
        drawn = np.random.default_rng(SEED).integers(0, len(values), (RESAMPLES, len(values)))
        low, high = np.quantile(values[drawn].mean(1), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        result |= {"low": float(low), "high": float(high)}
    return result
