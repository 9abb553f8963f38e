"""Quality slice by slice: curves as SVG, and the worst slices by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surgical_style_engine.metrics.worst_slices import worst_slices

# Keys of `quality.slices` and `quality.reference.slices`: title, whether low values are good, number format.
KNOWN = {
    "look_ahead": ("Look-Ahead error", True, "{:.3f}"),
    "semantic_consistency": ("Semantic Consistency", False, "{:.3f}"),
    "psnr": ("PSNR (dB)", False, "{:.1f}"),
    "ssim": ("SSIM", False, "{:.3f}"),
    "mae": ("MAE", True, "{:.3g}"),
}


@dataclass(frozen=True)
class Curve:
    """One figure along the slices. values: one a slice of the volume, None where it was not judged. worst: numbers of
    the worst slices (from 0), worst first, none beside another. path: SVG path in a box of 100 x 100."""

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
        return "not judged" if value is None else self.form.format(value)


def curves_of(quality: Mapping[str, Any]) -> list[Curve]:
    """The curves that a report's quality holds; those without two judged slices are left out."""
    found = []
    paired = quality.get("reference") or {}
    for source in (quality.get("slices"), paired.get("slices")):
        for key, values in (source or {}).items():
            if isinstance(values, list):
                made = curve(str(key), values)
                if made is not None:
                    found.append(made)
    return found


def curve(key: str, values: Sequence[Any]) -> Curve | None:
    """One curve, or None with fewer than two judged slices. Figures it does not know are drawn without a verdict."""
    title, low_is_good, form = KNOWN.get(key, (key.replace("_", " ").capitalize(), False, "{:.3g}"))
    numbers = [float(v) if _is_number(v) else None for v in values]
    judged = [value for value in numbers if value is not None]
    if len(judged) < 2:
        return None
    low, high = min(judged), max(judged)
    worst = worst_slices(numbers, low_is_good) if key in KNOWN else []
    return Curve(key, title, low_is_good, numbers, form, worst, _path(numbers, low, high), low, high)


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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
