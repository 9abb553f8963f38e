"""The metrics of a fusion in words, beside the reference alone and the plain average."""

from __future__ import annotations

from slicer.i18n import tr as _


def metrics_rows(metrics: dict) -> list[tuple[list[str], str]]:
    """Rows of the table of a fusion's metrics.

    Args:
        metrics: as of the engine's ``fusion_quality``.

    Returns:
        ([name, of the fusion, of the reference alone, of the average], meaning) a row.
    """
    floors = metrics["floors"]
    images = (metrics, floors["reference"], floors["average"])
    rows = []

    def add(name: str, values: list[float | None], meaning: str) -> None:
        rows.append(([name, *("–" if value is None else f"{value:.3f}" for value in values)], meaning))

    for index, name in enumerate(metrics["inputs"]):
        add(
            _("Information shared with {name}").format(name=name),
            [image["normalized_mutual_information"][index] for image in images],
            _("Normalised mutual information with this volume: 0 nothing, 1 all of it."),
        )
    add(
        _("Edges kept (Q^AB/F)"),
        [image["q_abf"] for image in images],
        _("Xydeas and Petrovic: strength and direction of all volumes' edges in the result. 1 is best."),
    )
    add(
        _("Structure kept (Piella Q_W)"),
        [image["piella_weighted"] for image in images],
        _("Piella and Heijmans: local similarity to the volume that shows the most. 1 is best."),
    )
    add(
        _("Entropy (bit)"),
        [image["entropy"] for image in images],
        _("Variety of grey values; noise raises it too."),
    )
    return rows
