"""Means of metrics over volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def mean_metrics(qualities: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean of every number in equally built dicts (nested too); lists and text are left out.

    A metric that is None or not finite for some volume is averaged over the others; None if it is so for all.

    Args:
        qualities: The ``quality`` of each volume's report.

    >>> mean_metrics([{"a": 1, "b": {"c": 2.0}}, {"a": 3, "b": {"c": None}, "d": "text"}])
    {'a': 2.0, 'b': {'c': 2.0}}
    """
    result: dict[str, Any] = {}
    for key in dict.fromkeys(key for quality in qualities for key in quality):
        values = [quality[key] for quality in qualities if quality.get(key) is not None]
        if values and all(isinstance(value, Mapping) for value in values):
            nested = mean_metrics(values)
            if nested:
                result[key] = nested
        elif all(isinstance(value, (int, float, np.number)) and not isinstance(value, bool) for value in values):
            finite = [float(value) for value in values if np.isfinite(value)]
            result[key] = float(np.mean(finite)) if finite else None
    return result
