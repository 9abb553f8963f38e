"""Quality slice by slice: curves as SVG, and the worst slices by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surgical_style_engine.metrics.registry import is_number, of_slices
from surgical_style_engine.metrics.worst_slices import worst_slices


@dataclass(frozen=True)
class Curve:
    """One metric along the slices.

    Attributes:
        key: Its key in the report.
        title: Its name with the unit.
        low_is_good: Whether low values are good.
        values: One a slice of the volume, None where it was not judged.
        form: How a value is written.
        worst: Numbers of the worst slices (from 0), worst first, none beside another.
        path: SVG path in a box of 100 x 100.
        low: The lowest value.
        high: The highest.
    """

    key: str
    title: str
    low_is_good: bool
    values: list[float | None]
    form: str
    worst: list[int]
    path: str
    low: float
    high: float

    def shown(self, value: float | None) -> str:
        """A slice's value as text."""
        return "not judged" if value is None else self.form.format(value)


def curves_of(quality: Mapping[str, Any]) -> list[Curve]:
    """The curves that a report's quality holds; those without two judged slices are left out."""
    paired = quality.get("reference") or {}
    curves = [
        curve(str(key), values)
        for per_slice in (quality.get("slices"), paired.get("slices"))
        for key, values in (per_slice or {}).items()
        if isinstance(values, list)
    ]
    return [drawn for drawn in curves if drawn is not None]


def curve(key: str, values: Sequence[Any]) -> Curve | None:
    """One curve, or None with fewer than two judged slices. Metrics it does not know are drawn without a verdict."""
    metric = of_slices(key)
    numbers = [float(value) if is_number(value) else None for value in values]
    judged = [value for value in numbers if value is not None]
    if len(judged) < 2:
        return None
    low, high = min(judged), max(judged)
    path = _path(numbers, low, high)
    if metric is None:
        return Curve(key, key.replace("_", " ").capitalize(), False, numbers, "{:.3g}", [], path, low, high)
    low_is_good = not metric.higher_is_better
    worst = worst_slices(numbers, low_is_good)
    return Curve(key, metric.slice_heading, low_is_good, numbers, metric.format, worst, path, low, high)


def _path(values: Sequence[float | None], low: float, high: float) -> str:
    """Lines between neighbours that were both judged; single ones are short dashes. Slice i spans i..i+1 of all."""
    span = (high - low) or 1.0
    parts, drawn = [], False
    for index, value in enumerate(values):
        if value is None:
            drawn = False
            continue
        x, y = 100 * (index + 0.5) / len(values), 95 - 90 * (value - low) / span
        alone = not drawn and (index + 1 == len(values) or values[index + 1] is None)
        parts.append(f"{'L' if drawn else 'M'}{x:.2f} {y:.2f}" + ("h0.4" if alone else ""))
        drawn = True
    return "".join(parts)
