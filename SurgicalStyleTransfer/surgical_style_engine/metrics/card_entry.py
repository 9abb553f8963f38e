"""What a model card keeps of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .registry import CYCLE, IMAGE, REFERENCE, Metric, metrics

DECIMALS = 4


def card_metrics(paired: bool) -> tuple[Metric, ...]:
    """The metrics that cards keep: those whose values can be compared from volume to volume.

    Args:
        paired: Those against a registered reference, else those that need none.
    """
    groups = (REFERENCE,) if paired else (CYCLE, IMAGE)
    return tuple(metric for metric in metrics(*groups) if metric.comparable)


def card_entry(quality: Mapping[str, Any]) -> dict[str, Any]:
    """One evaluation as it stands under its label in ``model.json``: flat, rounded, with the floors.

    Args:
        quality: As in the report of ``sst evaluate``.

    Returns:
        {key: value, ..., floors: {name: {key: value}}}; metrics without a value are left out, floors without a
        reference.

    >>> card_entry({"semantic_consistency": 0.123456, "reference": None})
    {'semantic_consistency': 0.1235}
    """
    entry: dict[str, Any] = {}
    for metric in (*card_metrics(paired=False), *card_metrics(paired=True)):
        value = metric.value(quality)
        if value is None:
            continue
        entry[metric.key] = round(value, DECIMALS)
        for name, floor in metric.floors(quality).items():
            if floor is not None:
                entry.setdefault("floors", {}).setdefault(name, {})[metric.key] = round(floor, DECIMALS)
    floors = entry.pop("floors", None)
    return entry if floors is None else {**entry, "floors": floors}
