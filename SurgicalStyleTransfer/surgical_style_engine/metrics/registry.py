"""The metrics that reports hold: one entry says what a metric is called, means, and how it is written.

Every table (terminal, CSV, HTML page, model card, panel) reads this registry, so that a new metric is one file: it
registers a `Metric` whose ``compute`` takes a `JudgedCase`, and the metric turns up wherever the others do:

>>> import numpy as np
>>> def brightest(case):
...     return float(case.delivered[:, case.region].max())
>>> metric = register(Metric("brightest", "Brightest voxel", "highest intensity, out of 2", compute=brightest))
>>> case = JudgedCase(np.zeros((1, 2, 4, 4)), np.full((1, 2, 4, 4), 0.5), np.ones((2, 4, 4), bool))
>>> quality = {}
>>> add_computed(quality, case)
>>> for line in lines(quality):
...     print(line.metric.title, line.text())
Brightest voxel 0.500
>>> unregister("brightest")

A package from outside names the module that registers its metrics as an entry point of the group `ENTRY_POINTS`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from .built_in import METRICS
from .metric import (
    ABOUT,
    CYCLE,
    FUSION,
    GROUPS,
    IMAGE,
    NOTHING,
    REFERENCE,
    REFERENCE_UNITS,
    SET,
    JudgedCase,
    Metric,
    is_number,
)

__all__ = [
    "ABOUT",
    "CYCLE",
    "FLOOR_TITLES",
    "FUSION",
    "IMAGE",
    "NOTHING",
    "REFERENCE",
    "SET",
    "JudgedCase",
    "Line",
    "Metric",
    "add_computed",
    "is_number",
    "lines",
    "metric",
    "metrics",
    "of_slices",
    "register",
    "unregister",
]

ENTRY_POINTS = "surgical_style_engine.metrics"
FLOOR_TITLES = {
    "input": "the input itself",
    "histogram_matched": "histogram matched",
    "reference": "reference alone",
    "average": "plain average",
}


@dataclass(frozen=True)
class Line:
    """One metric's values in a report: its own, the raw one and those of the floors, where there are such."""

    metric: Metric
    value: float | None
    raw: float | None = None
    floors: Mapping[str, float | None] = field(default_factory=dict)
    unit: str = ""

    def text(self, *, precise: bool = False) -> str:
        """The value with its unit."""
        return self.metric.text(self.value, precise=precise, unit=self.unit)

    def remark(self, *, precise: bool = False) -> str:
        """What stands in brackets behind it: the raw value, the floors, which value is perfect; may be empty."""
        parts = [] if self.raw is None else [f"raw {self.metric.number(self.raw, precise=precise)}"]
        if self.floors:
            parts.append(
                ", ".join(
                    f"{FLOOR_TITLES.get(name, name.replace('_', ' '))} {self.metric.number(value, precise=precise)}"
                    for name, value in self.floors.items()
                )
            )
        elif self.metric.best is not None:
            parts.append(f"{self.metric.best:g} is perfect")
        return "; ".join(parts)


_METRICS: dict[str, Metric] = {entry.key: entry for entry in METRICS}


def register(metric: Metric) -> Metric:
    """Add a metric to the registry and return it.

    Raises:
        ValueError: Another metric has its key or its place in a report.
    """
    for known in _METRICS.values():
        if known.key == metric.key or known.path == metric.path:
            raise ValueError(f"There is a metric {known.key!r} already.")
    _METRICS[metric.key] = metric
    return metric


def unregister(key: str) -> None:
    """Take a metric out again. Raises KeyError where there is none."""
    del _METRICS[key]


def metric(key: str) -> Metric:
    """The metric with a key. Raises KeyError where there is none."""
    _load_from_outside()
    return _METRICS[key]


def metrics(*groups: str) -> tuple[Metric, ...]:
    """All metrics, or those of some groups, in the order in which tables show them: each with its kind."""
    _load_from_outside()
    return tuple(entry for group in groups or GROUPS for entry in _METRICS.values() if entry.group == group)


def of_slices(key: str) -> Metric | None:
    """The metric whose values slice by slice a report keeps under this key of ``slices``."""
    return next((entry for entry in metrics() if entry.slice_key == key), None)


def lines(quality: Mapping[str, Any], *groups: str, missing: bool = False) -> list[Line]:
    """A `Line` for each metric that a report's ``quality`` has a value of.

    Args:
        quality: As in a report.
        groups: Only these; all but `ABOUT` if none are named.
        missing: With those that the report names without a value (no way back, equal images).
    """
    return list(_lines(quality, groups or tuple(group for group in GROUPS if group != ABOUT), missing))


def _lines(quality: Mapping[str, Any], groups: tuple[str, ...], missing: bool) -> Iterator[Line]:
    compared_in = _mapping(quality.get("reference")).get("compared_in")
    for entry in metrics(*groups):
        value = entry.value(quality)
        if value is None and not (missing and entry.named(quality)):
            continue
        unit = entry.unit
        if unit == REFERENCE_UNITS:
            unit = "HU" if compared_in == "HU" else ""
        yield Line(entry, value, entry.raw(quality), entry.floors(quality), unit)


def add_computed(quality: dict[str, Any], case: JudgedCase, floors: Mapping[str, np.ndarray] | None = None) -> None:
    """Compute every metric that has a ``compute`` and put its value where reports hold it.

    Args:
        quality: A report's ``quality``; changed in place. Metrics against a reference are computed where it has a
            ``reference`` and the case too.
        case: What is judged.
        floors: By name, what stands beside the delivered image against the reference, arrays like ``case.delivered``.
    """
    for entry in metrics():
        if entry.compute is None:
            continue
        if entry.group != REFERENCE:
            _put(quality, entry.path, entry.compute(case))
            continue
        if case.reference is None or not isinstance(quality.get("reference"), dict):
            continue
        paired = case if case.valid is None else replace(case, region=case.region & case.valid)
        _put(quality, entry.path, entry.compute(paired))
        for name, array in (floors or {}).items():
            place = (*entry.path[:-1], "floors", name, entry.path[-1])
            _put(quality, place, entry.compute(replace(paired, delivered=array)))


@cache
def _load_from_outside() -> None:
    """Import, once, the modules that installed packages name; one that fails must not keep others from being judged."""
    for point in entry_points(group=ENTRY_POINTS):
        try:
            point.load()
        except Exception as error:  # whatever such a module raises
            logging.getLogger(__name__).warning("The metrics of %s cannot be loaded: %s", point.value, error)


def _put(quality: dict[str, Any], path: tuple[str, ...], value: float | None) -> None:
    place = quality
    for part in path[:-1]:
        place = place.setdefault(part, {})
    place[path[-1]] = None if value is None else float(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
