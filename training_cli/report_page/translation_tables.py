"""Tables of what was judged of a translation: by itself, against a reference, and of sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from surgical_style_engine.metrics import registry
from surgical_style_engine.metrics.registry import Line, Metric, is_number

from .table import MetricTables, Row, Table, floor_columns, judged_part, number

HIDDEN_SIGNAL = 1.5  # times the error without noise from which the way back is said to live on a hidden signal
WORSE = "worse than doing nothing"
_CONSISTENCY = {"dice": "Dice of the labels", "self-similarity": "agreement of local structure"}


def without_reference(quality: Mapping[str, Any], result: MetricTables) -> None:
    """The cycle's metrics, with and without noise, and what needs the input and the translation only."""
    rows = []
    for line in registry.lines(quality, registry.CYCLE, registry.IMAGE):
        metric = line.metric
        cells = [metric.number(line.value), metric.number(line.raw)]
        rows.append(Row(metric.heading, _meaning(metric, quality), cells))
        if line.value is not None and line.raw and line.value > HIDDEN_SIGNAL * line.raw > 0:
            result.warnings.append(
                f"{metric.title}: {line.value:.3f} with rounding and noise, {line.raw:.3f} without. The translation "
                "hides a faint copy of the input that the way back reads; do not trust the way back."
            )
    if not rows:
        return
    notes = ["Each translation on the way is rounded to 8 bits and given noise of 3/255 before the way back."]
    if is_number(quality.get("cycle_slices")):
        count = quality["cycle_slices"]
        notes.append(f"Judged on {count:g} slice{'' if count == 1 else 's'}.")
    notes.append(judged_part(quality))
    result.tables.append(Table("Without a reference", ["Value", "Without noise"], rows, _sentences(notes)))


def _meaning(metric: Metric, quality: Mapping[str, Any]) -> str:
    if metric.key != "semantic_consistency":
        return metric.meaning
    how = _CONSISTENCY.get(str(quality.get("semantic_consistency_method")), "agreement of structure")
    return f"{how} of input and translation; {metric.best:g} is perfect"


def with_reference(quality: Mapping[str, Any], result: MetricTables) -> None:
    """The metrics against the registered real image, each beside its floors."""
    paired = quality.get("reference")
    if not isinstance(paired, Mapping):
        return
    floors = paired.get("floors") or {}
    rows, worse = [], []
    for line in registry.lines(quality, registry.REFERENCE):
        metric = line.metric
        beside = [line.floors.get(floor) for floor in floors]
        verdict = _verdict(line)
        if verdict == WORSE:
            worse.append(metric.heading)
        rows.append(Row(metric.heading, metric.meaning, [metric.number(v) for v in (line.value, *beside)], verdict))
    rows += _unknown(paired, floors)
    if not rows:
        return
    if worse:
        result.warnings.append(
            f"By {', '.join(worse)} the input itself is closer to the real image than the translation."
        )
    notes = []
    if isinstance(paired.get("psnr_range"), list) and len(paired["psnr_range"]) == 2:
        low, high = (number(value) for value in paired["psnr_range"])
        notes.append(f"PSNR and SSIM for the range {low} to {high} ({paired.get('compared_in', '')}).")
    notes.append(str(paired.get("floors_note") or ""))
    title = "Against the registered real image"
    result.tables.append(Table(title, floor_columns(floors), rows, _sentences(notes)))


def _unknown(paired: Mapping[str, Any], floors: Mapping[str, Any]) -> list[Row]:
    """Numbers of metrics that were registered where the report was written, but are not here."""
    known = {metric.path[-1] for metric in registry.metrics(registry.REFERENCE)}
    images = (paired, *floors.values())
    return [
        Row(str(key).replace("_", " ").capitalize(), "", [number(_of(image, key)) for image in images])
        for key, value in paired.items()
        if key not in known and is_number(value)
    ]


def _of(image: Any, key: str) -> Any:
    return image.get(key) if isinstance(image, Mapping) else None


def _verdict(line: Line) -> str:
    """In words; the first floor is the input itself."""
    known = [floor for floor in line.floors.values() if floor is not None]
    if line.value is None or not known or line.metric.higher_is_better is None:
        return ""
    better = [line.metric.better(line.value, floor) for floor in known]
    if all(better):
        return "better than every floor"
    return "better than the input only" if better[0] else WORSE


def network(quality: Any, result: MetricTables) -> None:
    """Metrics of the network's output as it is, where another image was delivered."""
    if not isinstance(quality, Mapping):
        return
    rows = [
        Row(line.metric.heading, line.metric.meaning, [line.metric.number(line.value)])
        for line in registry.lines(quality)
    ]
    if rows:
        note = "Of the whole translation, before strength, region and adjustments."
        result.tables.append(Table("The network's own output", ["Value"], rows, note))


def set_distance(quality: Mapping[str, Any], result: MetricTables) -> None:
    """How far the translations are from the real images as sets."""
    for line in registry.lines(quality, registry.SET):
        metric = line.metric
        distance = quality[metric.path[0]]
        spread = distance.get("deviation")
        value = metric.number(line.value) + (f" ± {number(spread, '{:.2g}')}" if is_number(spread) else "")
        verdict = _verdict(line)
        if verdict == WORSE:
            result.warnings.append(
                f"By the {metric.title[0].lower()}{metric.title[1:]} the inputs as they are look more like the target "
                "domain than the translations."
            )
        counts = [
            f"{distance[key]:g} {name}"
            for key, name in (("translated_slices", "translated slices"), ("reference_slices", "real ones"))
            if is_number(distance.get(key))
        ]
        note = f"{' against '.join(counts)}. {distance.get('features', '')}".strip(". ") + "."
        floors = {name: floor for name, floor in line.floors.items() if floor is not None}
        row = Row(metric.heading, metric.meaning, [value, *map(metric.number, floors.values())], verdict)
        title = "Translations and real images as sets"
        result.tables.append(Table(title, floor_columns(floors), [row], note))


def _sentences(notes: Iterable[str]) -> str:
    return " ".join(note for note in notes if note)
