"""The page itself: what a report says, put into the template; nothing in it is loaded from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surgical_style_engine.common.clean_text import clean
from surgical_style_engine.common.version import __version__
from surgical_style_engine.errors import InputError

from .cases import Case, Style, case_of, cohort_table, entries_of
from .facts import card_facts, find_card, provenance
from .names import Names
from .sheets import picture_file
from .table import MetricTables
from .tables import tables_of

if TYPE_CHECKING:
    from jinja2 import Environment


def build_page(report: Mapping[str, Any], path: Path, anonymous: bool = False) -> str:
    """The HTML of the assessment page of a report.

    Volumes that are gone are left out, and the page says so.

    Args:
        report: As read from ``path``.
        path: Its file, beside which files with relative paths are looked for.
        anonymous: No file names, not even without folders.

    Raises:
        InputError: A report whose parts are not of the kinds they should be.
    """
    try:
        return _build(report, Path(path), anonymous)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a report of this program, or is damaged ({error}).") from None


def environment() -> Environment:
    """Where the templates of this folder are rendered; everything is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("training_cli", "report_page"),
        autoescape=True,
        finalize=lambda value: clean(value, "html") if type(value) is str else value,  # Markup stays as it is
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def part(name: str) -> str:
    """The text of a file that the page holds in itself: page.css or page.js."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _build(report: Mapping[str, Any], path: Path, anonymous: bool) -> str:
    names = Names(report, anonymous)
    entry = report.get("model")
    model: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
    direction = str(model.get("direction") or report.get("direction") or "forward")
    # A style that was optimised for has no folder; a model of its name would be another.
    card, card_note = (None, "") if model.get("style") else find_card(model, path.parent)
    entries = entries_of(report)
    kind = kind_of(report, entries)
    style = Style(card, direction)
    cases = [case_of(place, entry, len(entries), style, path.parent, names) for place, entry in enumerate(entries)]
    overall = _overall(tables_of(names.everywhere(report["quality"])), cases, alone=not report.get("volumes"))
    script = part("page.js")
    return (
        environment()
        .get_template("template.html")
        .render(
            title=_title(kind, model, cases, len(report["inputs"])),
            kind=kind,
            script=script,
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            style=part("page.css"),
            warnings=[str(text) for text in names.everywhere(report["warnings"])],
            cautions=overall.warnings,
            failed=_failed(report, names),
            metrics=overall,
            cases=cases,
            cohort=cohort_table(cases, entries),
            card=card,
            card_note=names.text(card_note),
            card_facts=card_facts(card),
            model={key: str(model.get(key) or "") for key in ("name", "title", "intended_use")},
            provenance=provenance(report, path, names, model, direction),
            version=__version__,
            written=datetime.now().strftime("%Y-%m-%d %H:%M"),
            credit=str(report.get("credit") or ""),
            style_picture=picture_file(model["style"], path.parent) if isinstance(model.get("style"), str) else "",
        )
    )


def _overall(overall: MetricTables, cases: list[Case], alone: bool) -> MetricTables:
    """The report's own tables, without what the section of a single volume says again."""
    if len(cases) != 1:
        return overall
    (case,) = cases
    if alone:
        case.metrics = MetricTables()
        return overall
    said = {table.title for table in case.metrics.tables}
    tables = [table for table in overall.tables if table.title not in said]
    warnings = list(dict.fromkeys([*overall.warnings, *case.metrics.warnings]))
    case.metrics.warnings = []
    return MetricTables(tables, warnings)


def kind_of(report: Mapping[str, Any], entries: list[dict[str, Any]]) -> str:
    """Which kind of run a report is of: translation, cohort, evaluation, fusion or stylization."""
    if isinstance(report.get("model"), Mapping) and report["model"].get("style"):
        return "stylization"
    if any(entry.get("others") for entry in entries):
        return "fusion"
    if not report.get("output"):
        return "evaluation"
    return "cohort" if report.get("volumes") else "translation"


def _failed(report: Mapping[str, Any], names: Names) -> list[tuple[str, str]]:
    return [
        (names.of(str(entry.get("input", ""))), names.text(str(entry.get("reason", ""))))
        for entry in report.get("failed") or []
    ]


def _title(kind: str, model: Mapping[str, Any], cases: list[Case], count: int) -> str:
    what = {"fusion": "Fusion", "evaluation": "Evaluation", "stylization": "Style transfer"}.get(kind, "Translation")
    ways = str(model.get("title") or "")
    if model.get("from") and model.get("to"):
        ways = f"{model['from']} to {model['to']}"
    subject = cases[0].name if len(cases) == 1 else f"{len(cases)} volumes"
    if kind == "fusion":
        subject += f" and {count - 1} more"
    return f"{what}{f' {ways}' if ways else ''}: {subject}"
