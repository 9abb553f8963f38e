"""The lesion ledger in the README.md of a model folder."""

from __future__ import annotations

from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.models.lesion_summary import PICTURE_NAME, LesionSummary


def lesion_parts(card: ModelCard) -> list[str]:
    """The paragraphs on lesions; none where the card says nothing of them."""
    if not card.lesions:
        return []
    rows = ["| | real: found | weakened | lost | contrast kept | invented per 100 ml | implanted: kept 9 of 10 from |"]
    rows.append("|---|---|---|---|---|---|---|")
    for direction, entry in card.lesions.items():
        way = f"{card.domain_from(direction).name} to {card.domain_to(direction).name}"
        kept = "-" if entry.contrast_kept is None else f"{entry.contrast_kept:.0%}"
        cells = [
            way,
            entry.kept,
            entry.weakened,
            entry.lost,
            kept,
            f"{entry.invented_per_100_ml:.2f}",
            _smallest(entry),
        ]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    first = next(iter(card.lesions.values()))
    # A joined model has the ledgers of its pairs; the pictures are beside their cards.
    picture = [] if card.is_many else [f"![Implanted lesions that are still visible, by diameter]({PICTURE_NAME})"]
    return [
        "## Lesions",
        "\n".join(rows),
        *picture,
        f"Measured on {first.patients} ({first.volumes} volumes). Found: visible (contrast-to-noise of 1) with "
        "half of the real image's contrast; weakened: with less; lost: not visible. Implanted: spheres of 2 to 20 mm "
        "in even tissue, as bright or dark as real lesions are in the source; those counted are visible there. "
        "How it is measured: docs/lesions.md.",
    ]


def _smallest(entry: LesionSummary) -> str:
    if entry.smallest_mm is not None:
        return f"{entry.smallest_mm:g} mm"
    largest = max((row.diameter_mm for row in entry.implanted), default=0)
    return f"none up to {largest:g} mm" if entry.implanted else "-"
