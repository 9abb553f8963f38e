"""The volumes of a report as sections of the page, and the table of all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from surgical_style_engine.metrics import registry
from surgical_style_engine.models.card import ModelCard

from .charts import Chart, optimisation_charts
from .curves import Curve, curves_of
from .names import Names
from .pictures import MOST_SLICES, Pictures, pictures_of
from .table import MetricTables, number
from .tables import tables_of
from .verdict import ShownVerdict, shown_verdict

MOST_CASES = 16  # volumes of a cohort that get pictures
ALL_SLICES = 160  # shown on one page, all volumes together; a single volume has MOST_SLICES at most
FEWEST_SLICES = 10
_FILES = (("output", "Output"), ("reference", "Real image"), ("mask", "Mask"))
_COUNTS = (("slices", "Slices through the network", "{:.0f}"), ("seconds", "Seconds", "{:.1f}"))
_REGISTRATION = (
    ("rotation_deg", "{:.1f}° turned"),
    ("translation_mm", "{:.1f} mm moved"),
    ("overlap", "{:.0%} overlap"),
)


@dataclass(frozen=True)
class Style:
    """What a report's pictures are normalised by: the model's card, if it is at hand, and the direction of its use."""

    card: ModelCard | None
    direction: str = "forward"


@dataclass
class Case:
    """One volume's section of the page.

    Attributes:
        number: From 1, in the report's order.
        name: What it is called on the page.
        metrics: Its tables.
        curves: Its metrics slice by slice.
        pictures: What its viewer shows.
        facts: (name, value) lines.
        charts: Of an optimisation.
        verdict: On the translation; None where the report has none.
    """

    number: int
    name: str
    metrics: MetricTables
    curves: list[Curve]
    pictures: Pictures
    facts: list[tuple[str, str]] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    verdict: ShownVerdict | None = None

    @property
    def viewer(self) -> str:
        """What the page's script needs of this volume, as JSON that cannot end its own element."""
        pictures = self.pictures
        values = {
            "slices": pictures.slices,
            "total": pictures.total,
            "positions": pictures.positions,
            "tile": pictures.tile,
            "columns": pictures.columns,
            "panes": [{"title": pane.title, "kind": pane.kind, "sheet": pane.sheet} for pane in pictures.panes],
            "curves": [{"title": c.title, "values": [c.shown(v) for v in c.values]} for c in self.curves],
            "first": self.first,
        }
        return json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")

    @property
    def first(self) -> int:
        """The slice to begin with: the middle one of those shown."""
        shown = self.pictures.slices
        return shown[len(shown) // 2] if shown else 0


def entries_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One dict a volume, with the keys ``input``, ``output``, ``quality`` and what else the report says of it."""
    strength = report.get("strength")  # runs that have one blend the input in where the mask is not
    if report.get("volumes"):
        return [
            {
                **entry,
                "strength": entry.get("strength", strength),
                "match": report.get("match"),
                "mask_blends": bool(entry.get("mask")) and strength is not None,
            }
            for entry in report["volumes"]
        ]
    inputs = list(report["inputs"])
    keys = ("output", "reference", "mask", "maps", "quality", "strength", "units", "match")
    entry = {key: report.get(key) for key in keys}
    fusion = report.get("fusion") or {}
    return [
        {
            **entry,
            "input": inputs[0] if inputs else None,
            "others": inputs[1:],
            "mask_blends": bool(entry.get("mask")) and strength is not None,
            "registrations": fusion.get("registrations"),
        }
    ]


def case_of(place: int, entry: dict[str, Any], count: int, style: Style, folder: Path, names: Names) -> Case:
    """The section of one volume.

    Args:
        place: Its place in the report, from 0.
        entry: As `entries_of` gives it.
        count: How many volumes the report has.
        style: How its pictures are normalised.
        folder: Of the report.
        names: What files are called.
    """
    quality = entry.get("quality") or {}
    curves = curves_of(quality)
    ranks = zip_longest(*(curve.worst for curve in curves))
    named = list(dict.fromkeys(index for rank in ranks for index in rank if index is not None))
    most = max(FEWEST_SLICES, min(MOST_SLICES, ALL_SLICES // count))
    if place < MOST_CASES:
        pictures = pictures_of(entry, style.card, style.direction, folder, named=named, most=most, call=names.of)
    else:
        pictures = Pictures(notes=[f"Pictures of the first {MOST_CASES} volumes only."])
    pictures.notes = [names.text(note) for note in pictures.notes]
    path = entry.get("input")
    name = names.of(path) if isinstance(path, str) else f"volume {place + 1}"
    metrics = tables_of(names.everywhere(quality))
    facts = _facts(entry, alone=count == 1, names=names)
    verdict = shown_verdict(names.everywhere(quality))
    return Case(place + 1, name, metrics, curves, pictures, facts, optimisation_charts(quality), verdict)


def _facts(entry: Mapping[str, Any], alone: bool, names: Names) -> list[tuple[str, str]]:
    facts = [(title, names.of(entry[key])) for key, title in _FILES if isinstance(entry.get(key), str)]
    registration = entry.get("registration")
    if isinstance(registration, Mapping):
        facts.append(("Registration", _registration(registration)))
    for key, title, form in _COUNTS:
        if not alone and isinstance(entry.get(key), int | float):  # else it is in the report's own
            facts.append((title, number(entry[key], form)))
    for values in entry.get("registrations") or []:
        facts.append((f"Registration of {names.of(str(values.get('input')))}", _registration(values)))
    return facts


def _registration(values: Mapping[str, Any]) -> str:
    parts = [str(values.get("method", ""))]
    for key, form in _REGISTRATION:
        value = values.get(key)
        if isinstance(value, list):  # the parts along x, y and z
            value = sum(part * part for part in value) ** 0.5
        if isinstance(value, int | float):
            parts.append(form.format(value))
    return ", ".join(part for part in parts if part)


def cohort_table(cases: list[Case], entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The table of all volumes: headings, and (case, cells) rows; None for a single one."""
    if len(cases) < 2:
        return None
    qualities = [entry.get("quality") or {} for entry in entries]
    shown = [
        metric
        for metric in registry.metrics(registry.CYCLE, registry.IMAGE, registry.REFERENCE)
        if metric.headline and any(metric.value(quality) is not None for quality in qualities)
    ]
    rows = [
        (case, [metric.number(metric.value(quality)) for metric in shown])
        for case, quality in zip(cases, qualities, strict=True)
    ]
    return {"columns": [metric.heading for metric in shown], "rows": rows}
