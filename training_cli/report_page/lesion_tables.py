"""The table of the lesion ledger, for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .table import MetricTables, Row, Table, number

COLUMNS = ["Found", "Weakened", "Lost", "Unseen", "Invented"]
NOTE = (
    "A lesion is unseen where the real image does not show it (contrast-to-noise below 1), found where the translation "
    "shows it with half of its contrast at least, weakened with less, lost below 1. Invented: what stands out in the "
    "translation and not in the real image."
)


def lesion_rows(ledger: Mapping[str, Any]) -> list[Row]:
    """A row for each class of diameter, then one for all."""
    rows = []
    for entry in ledger["by_diameter"]:
        last = entry["to_mm"]
        name = f"{entry['from_mm']:g} mm and more" if last is None else f"{entry['from_mm']:g} to {last:g} mm"
        rows.append(Row(name, "", [str(entry[column.lower()]) for column in COLUMNS]))
    return [*rows, Row("All", "", [str(ledger[column.lower()]) for column in COLUMNS])]


def lesion_sentence(ledger: Mapping[str, Any]) -> str:
    """What the numbers come to: of how many visible lesions how much is left, and what is invented."""
    kept = ledger["contrast_kept"]
    contrast = "" if kept is None else f"In the median {kept:.0%} of a visible lesion's contrast is left. "
    return (
        f"{contrast}Invented: {number(ledger['invented_per_100_ml'], '{:.2f}')} {ledger['polarity']} spots "
        f"per 100 ml ({ledger['region_ml']:.0f} ml judged)."
    )


def lesions(quality: Mapping[str, Any], result: MetricTables) -> None:
    """The lesion ledger of a volume or of several."""
    ledger = quality.get("lesions")
    if isinstance(ledger, Mapping) and isinstance(ledger.get("by_diameter"), list):
        note = f"{lesion_sentence(ledger)} {NOTE}"
        result.tables.append(Table("Lesions by diameter", COLUMNS, lesion_rows(ledger), note))
        if ledger["lost"]:
            seen = ledger["found"] + ledger["weakened"] + ledger["lost"]
            result.warnings.append(f"{ledger['lost']} of {seen} visible lesions cannot be seen in the translation.")
