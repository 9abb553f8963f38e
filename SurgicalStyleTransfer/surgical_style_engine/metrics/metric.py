"""What a metric is: its name, its meaning, how it is written, where a report holds it, and how it is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np

CYCLE, IMAGE, REFERENCE, SET, FUSION, ABOUT = "cycle", "image", "reference", "set", "fusion", "about"
GROUPS = (CYCLE, IMAGE, REFERENCE, SET, FUSION, ABOUT)
REFERENCE_UNITS = "reference's units"  # HU where the report says that it compared in HU, else nothing is written
NOTHING = "–"  # written where there is no value


@dataclass(frozen=True, eq=False)
class JudgedCase:
    """What a metric is computed from.

    Attributes:
        source: The input, float (c, z, y, x), normalised to [-1, 1].
        delivered: The image that is judged, on the same grid and scale: with strength, region and adjustments.
        region: Where it is judged, bool (z, y, x).
        reference: The registered real image of the target domain, normalised, or None.
        valid: Where the reference has voxels, bool (z, y, x); None for everywhere. Metrics that need the reference
            get a case whose region is inside it.
        slice_axis: 0, 1 or 2 for z, y, x: slices lie across this, the coarsest, axis.
        spacing: Millimetres along z, y, x.
    """

    source: np.ndarray
    delivered: np.ndarray
    region: np.ndarray
    reference: np.ndarray | None = None
    valid: np.ndarray | None = None
    slice_axis: int = 0
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        key: Its key in a report.
        title: Its name for people, without the unit.
        plain: What it means, in a few words that need no training in the field.
        unit: "dB", "bits" ...; `REFERENCE_UNITS`; empty for a number without one.
        format: How a value is written where many stand beside one another.
        precise: How it is written where there is room: panel, CSV, `sst evaluate`. As ``format`` where empty.
        higher_is_better: None where neither direction is better.
        best: The value of a perfect image, None where there is no such value.
        needs_reference: Whether it compares with a registered real image; then it stands under ``reference``.
        needs_cycle: Whether the model needs a way back.
        help: One or two sentences for a tooltip.
        group: One of `GROUPS`; follows from the two needs if empty.
        path: Where a report's ``quality`` holds the value; follows from the key and the group if empty.
        slice_key: Its key under ``slices``, where a report has it slice by slice too.
        slice_title: What its curve is called; the title if empty.
        comparable: Whether values of different volumes can be compared (not so in arbitrary units); model cards keep
            only such metrics.
        headline: Whether it is shown where there is room for a few only (the table of a cohort).
        compute: Computes the value of a case, None where it has none; None for metrics that the program computes by
            itself, several in one pass.
    """

    key: str
    title: str
    plain: str
    unit: str = ""
    format: str = "{:.3f}"
    precise: str = ""
    higher_is_better: bool | None = None
    best: float | None = None
    needs_reference: bool = False
    needs_cycle: bool = False
    help: str = ""
    group: str = ""
    path: tuple[str, ...] = ()
    slice_key: str = ""
    slice_title: str = ""
    comparable: bool = True
    headline: bool = True
    compute: Callable[[JudgedCase], float | None] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Fill in what follows from the rest."""
        group = self.group or (REFERENCE if self.needs_reference else CYCLE if self.needs_cycle else IMAGE)
        if group not in GROUPS:
            raise ValueError(f"A metric's group is one of {', '.join(GROUPS)}, not {group!r}.")
        derived = {
            "group": group,
            "path": self.path or (("reference", self.key) if group == REFERENCE else (self.key,)),
            "precise": self.precise or self.format,
            "help": self.help or f"{self.plain[:1].upper()}{self.plain[1:]}.",
            "slice_title": self.slice_title or self.title,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def heading(self) -> str:
        """The title with the unit, for tables: 'PSNR (dB)'."""
        return f"{self.title} ({self.unit})" if self.unit and self.unit != REFERENCE_UNITS else self.title

    @property
    def slice_heading(self) -> str:
        """The same for its values slice by slice."""
        return self.heading.replace(self.title, self.slice_title, 1)

    @property
    def meaning(self) -> str:
        """``plain`` and which value is perfect: 'structural similarity; 1 is perfect'."""
        return self.plain if self.best is None else f"{self.plain}; {self.best:g} is perfect"

    def text(self, value: Any, *, precise: bool = False, unit: str | None = None) -> str:
        """A value as text with its unit; a dash where there is none.

        Args:
            value: A number; anything else, and what is not finite, becomes a dash.
            precise: With the digits of ``precise``.
            unit: In place of the metric's own.
        """
        if not is_number(value):
            return NOTHING
        shown = self.unit if unit is None else unit
        written = (self.precise if precise else self.format).format(value)
        return f"{written} {shown}" if shown and shown != REFERENCE_UNITS else written

    def number(self, value: Any, *, precise: bool = False) -> str:
        """The same without the unit, for columns whose `heading` has it."""
        return self.text(value, precise=precise, unit="")

    def value(self, quality: Mapping[str, Any]) -> float | None:
        """Its value in a report's ``quality``; None where there is none."""
        return _at(quality, self.path)

    def named(self, quality: Mapping[str, Any]) -> bool:
        """Whether a report's ``quality`` has its key, with a value or without."""
        place = _mapping_at(quality, self.path[:-1])
        return place is not None and self.path[-1] in place

    def raw(self, quality: Mapping[str, Any]) -> float | None:
        """The value beside it that was taken without rounding and noise (cycle metrics), if the report has it."""
        return _at(quality, (*self.path[:-1], f"{self.path[-1]}_raw"))

    def floors(self, quality: Mapping[str, Any]) -> dict[str, float | None]:
        """The values of the floors beside it, by name, in the report's order; empty where it has none."""
        place = _mapping_at(quality, self.path[:-1])
        floors = None if place is None else place.get("floors")
        if not isinstance(floors, Mapping) or self.group not in (REFERENCE, SET, FUSION):
            return {}
        values = {
            str(name): entry.get(self.path[-1]) if isinstance(entry, Mapping) else entry
            for name, entry in floors.items()
        }
        known = {name: float(value) if is_number(value) else None for name, value in values.items()}
        return known if any(value is not None for value in known.values()) else {}

    def better(self, value: float, other: float) -> bool:
        """Whether a value is better than another; False where neither direction is better."""
        return self.higher_is_better is not None and (value > other if self.higher_is_better else value < other)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value from a report is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _at(quality: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    place = _mapping_at(quality, path[:-1])
    value = None if place is None else place.get(path[-1])
    return float(value) if is_number(value) else None


def _mapping_at(quality: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any] | None:
    place: Any = quality
    for part in path:
        place = place.get(part) if isinstance(place, Mapping) else None
    return place if isinstance(place, Mapping) else None
