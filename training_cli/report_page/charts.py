"""Curves along the steps of a process: the losses of a training, the total of an optimisation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

POINTS = 240  # of a drawn curve; more steps are averaged
LOGARITHMIC = 30.0  # ratio of the largest to the smallest value from which the axis is logarithmic


@dataclass(frozen=True)
class Chart:
    """A curve along steps.

    Attributes:
        title: What is drawn.
        path: SVG path in a box of 100 x 100.
        low: Value at the bottom of the axis.
        high: Value at its top.
        first: Step at the left end.
        last: Step at the right end.
        final: The last value drawn.
        note: How it was drawn.
    """

    title: str
    path: str
    low: float
    high: float
    first: float
    last: float
    final: float
    note: str = ""


def chart(title: str, steps: Sequence[float], values: Sequence[float | None]) -> Chart | None:
    """A curve of means over at most POINTS stretches of steps; None with fewer than two finite values."""
    pairs = [(s, v) for s, v in zip(steps, values, strict=True) if isinstance(v, int | float) and math.isfinite(v)]
    if len(pairs) < 2:
        return None
    x, y = (np.asarray(side, float) for side in zip(*pairs, strict=True))
    parts = np.array_split(np.arange(len(x)), min(POINTS, len(x)))
    x, y = (np.array([side[part].mean() for part in parts]) for side in (x, y))
    low, high = float(y.min()), float(y.max())
    logarithmic = low > 0 and high > LOGARITHMIC * low
    level = np.log(y) if logarithmic else y
    span = (level.max() - level.min()) or 1.0
    across = (x - x[0]) / ((x[-1] - x[0]) or 1.0) * 100
    down = 95 - 90 * (level - level.min()) / span
    path = "".join(f"{'L' if i else 'M'}{a:.2f} {b:.2f}" for i, (a, b) in enumerate(zip(across, down, strict=True)))
    notes = (["logarithmic axis"] if logarithmic else []) + (
        [f"means of {round(len(pairs) / POINTS)} steps"] if len(pairs) > POINTS else []
    )
    return Chart(title, path, low, high, pairs[0][0], pairs[-1][0], float(y[-1]), ", ".join(notes))


def optimisation_charts(quality: Mapping[str, Any]) -> list[Chart]:
    """The curve of an optimisation that a report's quality holds under ``loss_curve`` (or ``curve``).

    That is a list of totals, or of {scale, total}, whose scales become a chart each.
    """
    entries = quality.get("loss_curve") or quality.get("curve")
    if not isinstance(entries, list) or not entries:
        return []
    scales: dict[str, list] = {}
    for entry in entries:
        if isinstance(entry, Mapping):
            scales.setdefault(f"Loss at scale {entry.get('scale', 1):g}", []).append(entry.get("total"))
        else:
            scales.setdefault("Loss", []).append(entry)
    charts = [chart(title, range(1, len(values) + 1), values) for title, values in scales.items()]
    return [drawn for drawn in charts if drawn is not None]
