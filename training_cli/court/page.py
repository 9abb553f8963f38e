"""The page of a comparison: ranks, figures, differences with their intervals, slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from surgical_style_engine.common.version import __version__
from surgical_style_engine.metrics.court import figures
from surgical_style_engine.metrics.metric import Metric
from surgical_style_engine.metrics.registry import FLOOR_TITLES
from training_cli.report_page.lesion_tables import COLUMNS, NOTE, lesion_sentence
from training_cli.report_page.page import environment, part
from training_cli.report_page.sheets import data_uri
from training_cli.report_page.table import Row, Table, number

if TYPE_CHECKING:
    from surgical_style_engine.app.court import Verdicts

FLOORS = {**FLOOR_TITLES, "one_grey": "one grey", "real_image": "the real image"}
MOST_SIDE = 260  # pixels of a slice


@dataclass(frozen=True)
class Interval:
    """One difference drawn: places in per cent of the axis, and its text."""

    name: str
    low: float
    high: float
    at: float
    zero: float
    text: str
    decided: str


def page_of(verdicts: Verdicts, title: str, names: Mapping[str, str] | None = None) -> str:
    """The HTML of a comparison.

    Args:
        verdicts: As ``hold_court`` gives them.
        title: Of the page.
        names: What patients are called, by their names; as they are if None.
    """
    entry = verdicts.entry
    return (
        environment()
        .get_template("court.html")
        .render(
            title=title,
            style=part("page.css"),
            warnings=verdicts.warnings,
            tables=tables_of(entry),
            differences=differences_of(entry),
            people=entry["people"],
            pictures=[(name, [picture(image) for image in slices]) for name, slices in verdicts.pictures.items()],
            methods=list(entry["methods"].items()),
            patients=_patients(entry, names or {}),
            written=datetime.now().strftime("%Y-%m-%d %H:%M"),
            version=__version__,
        )
    )


def tables_of(entry: Mapping[str, Any]) -> list[Table]:
    """Figures of candidates and floors; lesions; what it took. For the page and the terminal."""
    used = _used(entry)
    ordered = sorted(entry["candidates"], key=lambda candidate: (candidate["rank"] is None, candidate["rank"] or 0))
    rows = [
        Row(each["name"], "", [number(each["rank"], "{:.2f}"), *(f.number(each["mean"][f.key]) for f in used)])
        for each in ordered
    ]
    rows += [
        Row(FLOORS.get(name, name), "", ["", *(f.number(values.get(f.key)) for f in used)])
        for name, values in entry["floors"].items()
    ]
    people = entry["people"]
    count = f"{people} patient{'s' if people != 1 else ''}"
    ways = entry["contrasts"]
    note = f"Means over {count}. Mean rank over the figures: 1 is best. " + " ".join(
        f"{f.title}: {f.meaning}." for f in used
    )
    tables = [Table(f"{ways['source']} to {ways['target']}", ["Mean rank", *(f.heading for f in used)], rows, note)]
    ledgers = [(each["name"], each["lesions"]) for each in ordered if each["lesions"]]
    if ledgers:
        rows = [Row(name, lesion_sentence(one), [str(one[c.lower()]) for c in COLUMNS]) for name, one in ledgers]
        tables.append(Table("Lesions", COLUMNS, rows, NOTE))
    if entry["machine"]:
        rows = [
            Row(
                name,
                "",
                [
                    number(values["seconds"], "{:.2f}"),
                    number(values["cpu_seconds"], "{:.2f}"),
                    number(values["peak_mb"], "{:.0f}"),
                ],
            )
            for name, values in entry["machine"].items()
        ]
        note = "Median of a volume, each candidate in a process of its own. Memory: libraries included."
        columns = ["Seconds", "Processor seconds", "Peak memory (MB)"]
        tables.append(Table("On this machine", columns, rows, note))
    return tables


def differences_of(entry: Mapping[str, Any]) -> list[tuple[str, list[Interval]]]:
    """By figure, the paired difference of every two candidates."""
    groups = []
    for each in _used(entry):
        pairs = [pair for pair in entry["differences"] if pair["figure"] == each.key and pair["difference"] is not None]
        if pairs:
            reach = max(abs(value) for pair in pairs for value in _bounds(pair)) or 1.0
            groups.append((each.heading, [_interval(each, pair, reach) for pair in pairs]))
    return groups


def picture(image: np.ndarray) -> str:
    """A slice (rows, columns) in [-1, 1] as a JPEG in the page."""
    step = max(1, -(-max(image.shape) // MOST_SIDE))
    small = np.asarray(image, np.float32)[::step, ::step]
    return data_uri(np.rint(np.clip(small * 0.5 + 0.5, 0, 1) * 255).astype(np.uint8)[..., None])


def _used(entry: Mapping[str, Any]) -> list[Metric]:
    keys = {figure["key"] for figure in entry["figures"]}
    return [figure for figure in figures() if figure.key in keys]


def _bounds(pair: Mapping[str, Any]) -> tuple[float, float]:
    if pair["low"] is None:
        return pair["difference"], pair["difference"]
    return pair["low"], pair["high"]


def _interval(figure: Metric, pair: Mapping[str, Any], reach: float) -> Interval:
    low, high = _bounds(pair)
    text = f"{pair['difference']:+.3g}"
    decided = ""
    if pair["low"] is not None:
        text += f" ({low:+.3g} to {high:+.3g})"
        if figure.higher_is_better is not None and (low > 0 or high < 0):
            decided = pair["first"] if (low > 0) == figure.higher_is_better else pair["second"]

    def place(value: float) -> float:
        return round(50 + 48 * value / reach, 2)

    name = f"{pair['first']} less {pair['second']}"
    return Interval(name, place(low), place(high), place(pair["difference"]), 50, text, decided)


def _patients(
    entry: Mapping[str, Any], names: Mapping[str, str]
) -> list[tuple[str, list[str], list[tuple[str, list[str]]]]]:
    """By candidate: its name, headings, and a row of figures a patient."""
    used = _used(entry)
    return [
        (
            each["name"],
            [figure.heading for figure in used],
            [
                (names.get(patient, patient), [figure.number(values[figure.key]) for figure in used])
                for patient, values in each["patients"].items()
            ],
        )
        for each in entry["candidates"]
    ]
