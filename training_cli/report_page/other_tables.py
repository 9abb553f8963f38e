"""Tables of tissues, of a fusion, of an optimised style, and of numbers that no other table has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surgical_style_engine.metrics import registry
from surgical_style_engine.metrics.registry import FLOOR_TITLES, Line, is_number

from .table import MetricTables, Row, Table, floor_columns, judged_part, number

MUCH_FLICKER = 3.0  # times the input's own change from slice to slice
_OF_EACH_INPUT = (
    ("mutual_information", "Mutual information (bits)", "with"),
    ("normalized_mutual_information", "Normalised MI", "1 for equal images, with"),
)
_IN_STYLE_TABLES = ("flicker", "flicker_content", "content_flicker", "flicker_independent", "seconds_per_slice")


def tissues(contrast: Any, result: MetricTables) -> None:
    """Mean of each tissue before and after."""
    if not isinstance(contrast, Mapping) or not isinstance(contrast.get("tissues"), Mapping):
        return
    rows = [
        Row(str(name), f"{values.get('voxels', 0):g} voxels", [number(values.get(k)) for k in ("before", "after")])
        for name, values in contrast["tissues"].items()
    ]
    order = " < ".join(map(str, contrast.get("order_after") or []))
    note = f"After the translation: {order}."
    if contrast.get("expected"):
        expected = " < ".join(map(str, contrast["expected"]))
        note += f" Expected of the target domain: {expected}."
        if contrast.get("as_expected") is False:
            result.warnings.append(f"The tissues come out in the wrong order: {order} instead of {expected}.")
    result.tables.append(Table("Mean of each tissue", ["Before", "After"], rows, note))


def fusion(quality: Mapping[str, Any], result: MetricTables) -> None:
    """What a fusion kept of its inputs, beside its floors."""
    if not is_number(quality.get("q_abf")):
        return
    floors = {k: v for k, v in (quality.get("floors") or {}).items() if isinstance(v, Mapping)}
    rows = [
        Row(
            line.metric.heading,
            line.metric.plain,
            [line.metric.number(value) for value in (line.value, *(line.floors.get(floor) for floor in floors))],
            _fusion_verdict(line) if floors else "",
        )
        for line in registry.lines(quality, registry.FUSION)
    ]
    names = quality.get("inputs") or []
    for key, name, meaning in _OF_EACH_INPUT:
        values = [image.get(key) or [] for image in (quality, *floors.values())]
        for place in range(len(values[0])):
            which = names[place] if place < len(names) else f"input {place + 1}"
            cells = [number(image[place] if place < len(image) else None, "{:.3f}") for image in values]
            rows.append(Row(name, f"{meaning} {which}", cells))
    note = f"{quality.get('floors_note') or ''} {judged_part(quality)}".strip()
    result.tables.append(Table("What the fusion kept of its inputs", floor_columns(floors), rows, note))


def _fusion_verdict(line: Line) -> str:
    if line.value is None or line.metric.higher_is_better is None:
        return ""
    below = [
        FLOOR_TITLES.get(floor, floor)
        for floor, value in line.floors.items()
        if value is not None and line.metric.better(value, line.value)
    ]
    return f"below {' and '.join(below)}" if below else "above every floor"


def style(quality: Mapping[str, Any], result: MetricTables) -> None:
    """What an optimised style came to."""
    own = next((quality[key] for key in ("flicker_content", "content_flicker") if is_number(quality.get(key))), None)
    if is_number(quality.get("flicker")):
        alone = quality.get("flicker_independent")
        cells = [number(value, "{:.4f}") for value in (quality["flicker"], own, alone)]
        columns = ["Value", "The input's own", "Slices by themselves"]
        row = Row("Flicker", "mean change between neighbours in the body, of 1; near the input's is good", cells)
        result.tables.append(Table("From slice to slice", columns, [row]))
        if own is not None and quality["flicker"] > MUCH_FLICKER * own:
            result.warnings.append(
                f"The result changes from slice to slice {quality['flicker'] / max(own, 1e-9):.1f} times as much as "
                "the input: it flickers when scrolled."
            )
    losses = quality.get("losses")
    if isinstance(losses, Mapping):
        rows = [Row(str(name).capitalize(), "", [number(value)]) for name, value in losses.items() if is_number(value)]
        if rows:
            result.tables.append(Table("Losses at the end", ["Value"], rows))
    if is_number(quality.get("seconds_per_slice")):
        row = Row("Seconds per slice", "", [number(quality["seconds_per_slice"], "{:.2f}")])
        result.tables.append(Table("Speed", ["Value"], [row]))


def others(quality: Mapping[str, Any], result: MetricTables) -> None:
    """Numbers that no other table has."""
    shown = {metric.path[0] for metric in registry.metrics()} | {"cycle_slices", *_IN_STYLE_TABLES}
    shown |= {f"{metric.key}_raw" for metric in registry.metrics(registry.CYCLE)}
    rows = [
        Row(str(key).replace("_", " ").capitalize(), "", [number(value)])
        for key, value in quality.items()
        if key not in shown and is_number(value)
    ]
    if rows:
        result.tables.append(Table("Other figures", ["Value"], rows))
