"""The tables of metrics on the page, from a report's ``quality``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import lesion_tables, other_tables, translation_tables
from .table import MetricTables


def tables_of(quality: Mapping[str, Any]) -> MetricTables:
    """Everything that a ``quality`` holds, metrics that are not known included."""
    result = MetricTables()
    translation_tables.without_reference(quality, result)
    translation_tables.with_reference(quality, result)
    translation_tables.network(quality.get("network"), result)
    translation_tables.set_distance(quality, result)
    lesion_tables.lesions(quality, result)
    other_tables.tissues(quality.get("tissue_contrast"), result)
    other_tables.fusion(quality, result)
    other_tables.style(quality, result)
    other_tables.others(quality, result)
    return result
