"""The page itself: what a report says, put into the template; nothing in it is loaded from anywhere else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surgical_style_engine.errors import InputError

from .charts import Chart, optimisation_charts
from .curves import Curve, curves_of
from .figures import Figures, figures_of, number
from .names import Names
from .pictures import MOST_SLICES, Pictures, picture_file, pictures_of

if TYPE_CHECKING:
    from surgical_style_engine.models.folder import ModelCard

MOST_CASES = 16  # volumes of a cohort that get pictures
ALL_SLICES = 160  # shown on one page, all volumes together; a single volume has MOST_SLICES at most
FEWEST_SLICES = 10
# Key in a volume's quality -> heading and number format of the cohort's table.
COHORT_COLUMNS = {
    "look_ahead_score": ("Look-Ahead Score", "{:.3f}"),
    "jigsaw_puzzle_error": ("Jigsaw Puzzle Error", "{:.3f}"),
    "semantic_consistency": ("Semantic Consistency", "{:.3f}"),
    "reference.psnr": ("PSNR (dB)", "{:.2f}"),
    "reference.ssim": ("SSIM", "{:.3f}"),
    "reference.mae_normalised": ("MAE, normalised", "{:.3f}"),
}


@dataclass
class Case:
    """One volume's section of the page. facts: (name, value) lines."""

    number: int
    name: str
    figures: Figures
    curves: list[Curve]
    pictures: Pictures
    facts: list[tuple[str, str]] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)

    @property
    def viewer(self) -> str:
        """What the page's script needs of this volume, as JSON that cannot end its own element."""
        pictures = self.pictures
        values = {
            "slices": pictures.slices,
            "total": pictures.total,
            "positions": pictures.positions,
            "tile": pictures.tile,
            "columns": pictures.columns,
            "panes": [{"title": pane.title, "kind": pane.kind, "sheet": pane.sheet} for pane in pictures.panes],
            "curves": [{"title": c.title, "values": [c.shown(v) for v in c.values]} for c in self.curves],
            "first": self.first,
        }
        return json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")

    @property
    def first(self) -> int:
        """The slice to begin with: the middle one of those shown."""
        shown = self.pictures.slices
        return shown[len(shown) // 2] if shown else 0


def build_page(report: Mapping[str, Any], path: Path, anonymous: bool = False) -> str:
    """The HTML of the assessment page of a report that was read from ``path``.

    anonymous: no file names, not even without folders. Volumes that are gone are left out, and the page says so.
    Raises InputError for a report whose parts are not of the kinds they should be.
    """
    try:
        return _build(report, Path(path), anonymous)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a report of this program, or is damaged ({error}).") from None


def _build(report: Mapping[str, Any], path: Path, anonymous: bool) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from surgical_style_engine import __version__

    names = Names(report, anonymous)
    model = report.get("model") if isinstance(report.get("model"), Mapping) else {}
    direction = str(model.get("direction") or report.get("direction") or "forward")
    # A style that was optimised for has no folder; a model of its name would be another.
    card, card_note = (None, "") if model.get("style") else find_card(model, path.parent)
    entries = entries_of(report)
    kind = kind_of(report, entries)
    style_picture = picture_file(model["style"], path.parent) if isinstance(model.get("style"), str) else ""
    cases = []
    for place, entry in enumerate(entries):
        cases.append(_case(place, entry, len(entries), card, direction, path.parent, names))
    quality = names.everywhere(report["quality"])
    overall = figures_of(quality)
    if len(cases) == 1 and not report.get("volumes"):
        cases[0].figures = Figures()  # the report's own, shown above all else
    elif len(cases) == 1:
        overall.tables = [t for t in overall.tables if t.title not in {each.title for each in cases[0].figures.tables}]
        overall.warnings, cases[0].figures.warnings = _merged(overall.warnings, cases[0].figures.warnings), []
    template_folder = resources.files(__package__)
    script = template_folder.joinpath("page.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("training_cli", "report_page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("template.html").render(
        title=_title(kind, model, cases, len(report["inputs"])),
        kind=kind,
        script=script,
        script_digest=digest,
        style=template_folder.joinpath("page.css").read_text(encoding="utf-8"),
        warnings=[str(text) for text in names.everywhere(report["warnings"])],
        cautions=overall.warnings,
        failed=_failed(report, names),
        figures=overall,
        cases=cases,
        cohort=_cohort(cases, entries),
        card=card,
        card_note=names.text(card_note),
        card_facts=_card_facts(card),
        model={key: str(model.get(key) or "") for key in ("name", "title", "intended_use")},
        provenance=_provenance(report, path, names, model, direction),
        version=__version__,
        made=datetime.now().strftime("%Y-%m-%d %H:%M"),
        credit=str(report.get("credit") or ""),
        style_picture=style_picture,
    )


def entries_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One dict a volume, with the keys ``input``, ``output``, ``quality`` and what else the report says of it."""
    strength = report.get("strength")  # runs that have one blend the input in where the mask is not
    if report.get("volumes"):
        return [
            {
                **entry,
                "strength": entry.get("strength", strength),
                "match": report.get("match"),
                "mask_blends": bool(entry.get("mask")) and strength is not None,
            }
            for entry in report["volumes"]
        ]
    inputs = list(report["inputs"])
    keys = ("output", "reference", "mask", "maps", "quality", "strength", "units", "match")
    entry = {key: report.get(key) for key in keys}
    blends = bool(entry.get("mask")) and strength is not None
    fusion = report.get("fusion") or {}
    return [
        {
            **entry,
            "input": inputs[0] if inputs else None,
            "others": inputs[1:],
            "mask_blends": blends,
            "registrations": fusion.get("registrations"),
        }
    ]


def kind_of(report: Mapping[str, Any], entries: list[dict[str, Any]]) -> str:
    """Which kind of run made a report: translation, cohort, evaluation, fusion or stylization."""
    if isinstance(report.get("model"), Mapping) and report["model"].get("style"):
        return "stylization"
    if any(entry.get("others") for entry in entries):
        return "fusion"
    if not report.get("output"):
        return "evaluation"
    return "cohort" if report.get("volumes") else "translation"


def find_card(model: Mapping[str, Any], folder: Path) -> tuple[ModelCard | None, str]:
    """The card of the model that a report names, and a sentence if it is not at hand or no longer the same."""
    from surgical_style_engine.models.folder import find_model, read_card

    if not model.get("name"):
        return None, ""
    for place in (model.get("folder"), model["name"]):
        if not place:
            continue
        try:
            card = read_card(find_model(str(place)))
        except InputError:
            continue
        if model.get("sha256") in (None, card.weights.sha256):
            return card, ""
    return None, (
        "The model's card is not at hand: no model of that name and with those weights is found on this computer."
    )


def _case(
    place: int, entry: dict[str, Any], count: int, card: ModelCard | None, direction: str, folder: Path, names: Names
) -> Case:
    quality = entry.get("quality") or {}
    curves = curves_of(quality)
    ranks = zip_longest(*(each.worst for each in curves))
    named = list(dict.fromkeys(index for rank in ranks for index in rank if index is not None))
    most = max(FEWEST_SLICES, min(MOST_SLICES, ALL_SLICES // count))
    if place < MOST_CASES:
        pictures = pictures_of(entry, card, direction, folder, named=named, most=most, call=names.of)
    else:
        pictures = Pictures(notes=[f"Pictures of the first {MOST_CASES} volumes only."])
    pictures.notes = [names.text(note) for note in pictures.notes]
    path = entry.get("input")
    facts = []
    for key, title in (("output", "Output"), ("reference", "Real image"), ("mask", "Mask")):
        if isinstance(entry.get(key), str):
            facts.append((title, names.of(entry[key])))
    registration = entry.get("registration")
    if isinstance(registration, Mapping):
        facts.append(("Registration", _registration(registration)))
    for key, title, form in (("slices", "Slices through the network", "{:.0f}"), ("seconds", "Seconds", "{:.1f}")):
        if count > 1 and isinstance(entry.get(key), int | float):  # else it is in the report's own
            facts.append((title, number(entry[key], form)))
    for values in entry.get("registrations") or []:
        facts.append((f"Registration of {names.of(str(values.get('input')))}", _registration(values)))
    name = names.of(path) if isinstance(path, str) else f"volume {place + 1}"
    figures = figures_of(names.everywhere(quality))
    return Case(place + 1, name, figures, curves, pictures, facts, optimisation_charts(quality))


def _registration(values: Mapping[str, Any]) -> str:
    parts = [str(values.get("method", ""))]
    for key, form in (
        ("rotation_deg", "{:.1f}° turned"),
        ("translation_mm", "{:.1f} mm moved"),
        ("overlap", "{:.0%} overlap"),
    ):
        value = values.get(key)
        if isinstance(value, list):  # the parts along x, y and z
            value = sum(part * part for part in value) ** 0.5
        if isinstance(value, int | float):
            parts.append(form.format(value))
    return ", ".join(part for part in parts if part)


def _cohort(cases: list[Case], entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The table of all volumes: headings, and (case, cells) rows; None for a single one."""
    if len(cases) < 2:
        return None

    def value(entry: Mapping[str, Any], key: str) -> Any:
        found: Any = entry.get("quality") or {}
        for part in key.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    used = {k: v for k, v in COHORT_COLUMNS.items() if any(value(entry, k) is not None for entry in entries)}
    rows = [
        (case, [number(value(entry, key), form) for key, (_, form) in used.items()])
        for case, entry in zip(cases, entries, strict=True)
    ]
    return {"columns": [title for title, _ in used.values()], "rows": rows}


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


def _card_facts(card: ModelCard | None) -> list[tuple[str, str]]:
    if card is None:
        return []
    source, target = card.domains.source, card.domains.target
    arguments = ", ".join(f"{key} {value}" for key, value in card.architecture.arguments.items())
    facts = [
        ("Name", card.name),
        ("Domains", f"{source.name} ({source.modality}) and {target.name} ({target.modality})"),
        ("Directions", ", ".join(card.directions)),
        ("Network", f"{card.architecture.name} ({arguments})"),
        (
            "Works on",
            f"{card.plane} slices, {card.stack} at a time, "
            + ("at the input's spacing" if card.spacing_mm is None else f"at {card.spacing_mm:g} mm"),
        ),
    ]
    training = card.training
    if training:
        parts = [str(training[key]) for key in ("method", "date") if training.get(key)]
        if training.get("steps"):
            parts.insert(1, f"{training['steps']} steps in {training.get('minutes', 0):g} minutes")
        volumes = training.get("volumes")
        if isinstance(volumes, Mapping):
            counted = (f"{len(v)} {k}" for k, v in volumes.items() if isinstance(v, list))
            parts.append(f"volumes: {', '.join(counted)}")
        facts.append(("Training", "; ".join(parts)))
        for key, title in (("data", "Training data"), ("notes", "Notes")):
            if training.get(key):
                facts.append((title, str(training[key])))
    facts += [("Licence of the weights", card.licence), ("Cite", card.citation)]
    facts.append(("Weights, SHA-256", card.weights.sha256))
    return [(name, value) for name, value in facts if value]


def _provenance(
    report: Mapping[str, Any], path: Path, names: Names, model: Mapping[str, Any], direction: str
) -> list[tuple[str, str]]:
    fusion = report.get("fusion") or {}
    report = {**report, **{key: fusion[key] for key in ("method", "weights") if key in fusion}}
    inputs = [names.of(str(each)) for each in report["inputs"]]
    shown = ", ".join(inputs[:12]) + (f" and {len(inputs) - 12} more" if len(inputs) > 12 else "")
    ways = f"{model['from']} to {model['to']} ({direction})" if model.get("from") else direction if model else ""
    facts = [
        ("Inputs", shown),
        ("Output", names.of(report["output"]) if isinstance(report["output"], str) else ""),
        ("Model", ", ".join(str(model[key]) for key in ("title", "name") if model.get(key))),
        ("Direction", ways),
        ("Weights, SHA-256", str(model.get("sha256") or "")),
    ]
    for key, title in (
        ("method", "Method"),
        ("plane", "Plane"),
        ("strength", "Strength"),
        ("consistency", "Consistency kept"),
        ("adjustments", "Adjusted"),
        ("match", "Matched to"),
        ("weights", "Weights of the inputs"),
        ("units", "Units"),
        ("device", "Device"),
        ("backend", "Backend"),
        ("precision", "Precision"),
        ("slices", "Slices through the network" if model else "Slices"),
    ):
        value = report.get(key)
        if isinstance(value, list):
            value = ", ".join(number(each) if isinstance(each, int | float) else str(each) for each in value)
        facts.append((title, number(value) if isinstance(value, int | float) else str(value or "")))
    if isinstance(report.get("seconds"), int | float):
        facts.append(("Seconds", number(report["seconds"], "{:.1f}")))
    written = datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y-%m-%d %H:%M") if path.exists() else ""
    facts += [("Report", path.name if not names.anonymous else ""), ("Report written", written)]
    return [(name, names.text(value)) for name, value in facts if value]


def _merged(first: list[str], second: list[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))
