"""What a table of metrics is made of, and how its cells are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surgical_style_engine.metrics.registry import FLOOR_TITLES, NOTHING, is_number


@dataclass(frozen=True)
class Row:
    """One metric: its name, what it means, its cells as text (the value first), and a verdict."""

    name: str
    meaning: str
    cells: list[str]
    verdict: str = ""


@dataclass(frozen=True)
class Table:
    """Rows below one heading.

    Attributes:
        title: The heading.
        columns: Headings of the cells.
        rows: The rows, each with a cell a column.
        note: One or more sentences below it.
    """

    title: str
    columns: list[str]
    rows: list[Row]
    note: str = ""

    @property
    def judged(self) -> bool:
        """Whether the rows have verdicts."""
        return any(row.verdict for row in self.rows)


@dataclass
class MetricTables:
    """All tables of one report or volume, and sentences on what the metrics warn of."""

    tables: list[Table] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def number(value: Any, form: str = "{:.4g}") -> str:
    """A number as text; a dash where there is none."""
    return form.format(value) if is_number(value) else NOTHING


def floor_columns(floors: Mapping[str, Any]) -> list[str]:
    """Headings of a value and the floors beside it."""
    titles = (FLOOR_TITLES.get(floor, floor.replace("_", " ")) for floor in floors)
    return ["Value", *(f"Floor: {title}" for title in titles)]


def judged_part(quality: Mapping[str, Any]) -> str:
    """In which mask was judged and how large it is, as a sentence; empty where the report does not say."""
    masks = {"body": "body mask that was found", "given": "mask that was given"}
    mask = masks.get(str(quality.get("mask")))
    share = quality.get("mask_fraction")
    return f"Inside the {mask}" + (f" ({share:.0%} of all voxels)." if is_number(share) else ".") if mask else ""
