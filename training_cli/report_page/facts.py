"""What the page says of the model and of the run, as (name, value) lines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import ModelCard, read_card
from surgical_style_engine.models.names import find_model

from .names import Names
from .table import number

MOST_INPUTS = 12  # named one by one
_SETTINGS = (
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
    ("slices", "Slices"),
)


def find_card(model: Mapping[str, Any], folder: Path) -> tuple[ModelCard | None, str]:
    """The card of the model that a report names, and a sentence if it is not at hand or no longer the same."""
    if not model.get("name"):
        return None, ""
    for place in (model.get("folder"), model["name"]):
        if not place:
            continue
        try:
            card = read_card(find_model(str(place)))
        except InputError:
            continue
        if model.get("sha256") in (None, _sha256(card)):
            return card, ""
    return None, (
        "The model's card is not at hand: no model of that name and with those weights is found on this computer."
    )


def _sha256(card: ModelCard) -> str:
    return "" if card.weights is None else card.weights.sha256


def card_facts(card: ModelCard | None) -> list[tuple[str, str]]:
    """What a model's card says; nothing without one."""
    if card is None:
        return []
    domains = [f"{side.name} ({side.modality})" for side in card.domains.many]
    source, target = card.domains.source, card.domains.target
    arguments = ", ".join(f"{key} {value}" for key, value in card.architecture.arguments.items())
    facts = [
        ("Name", card.name),
        (
            "Domains",
            ", ".join(domains) or f"{source.name} ({source.modality}) and {target.name} ({target.modality})",
        ),
        ("Directions", ", ".join(card.directions)),
        ("Network", f"{card.architecture.name} ({arguments})"),
        (
            "Works on",
            f"{card.plane} slices, {card.stack} at a time, "
            + ("at the input's spacing" if card.spacing_mm is None else f"at {card.spacing_mm:g} mm"),
        ),
        *_training_facts(card.training),
        ("Licence of the weights", card.licence),
        ("Cite", card.citation),
        ("Weights, SHA-256", _sha256(card)),
    ]
    return [(name, value) for name, value in facts if value]


def _training_facts(training: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not training:
        return []
    parts = [str(training[key]) for key in ("method", "date") if training.get(key)]
    if training.get("steps"):
        images = f" ({training['images']:,} images)" if isinstance(training.get("images"), int) else ""
        parts.insert(1, f"{training['steps']} steps{images} in {training.get('minutes', 0):g} minutes")
    volumes = training.get("volumes")
    if isinstance(volumes, Mapping):
        counted = (f"{len(v)} {k}" for k, v in volumes.items() if isinstance(v, list))
        parts.append(f"volumes: {', '.join(counted)}")
    notes = [(title, str(training.get(key) or "")) for key, title in (("data", "Training data"), ("notes", "Notes"))]
    limits = training.get("limits")
    listed = " ".join(map(str, limits)) if isinstance(limits, list) else ""
    return [("Training", "; ".join(parts)), ("Limits", listed), *notes]


def provenance(
    report: Mapping[str, Any], path: Path, names: Names, model: Mapping[str, Any], direction: str
) -> list[tuple[str, str]]:
    """From what, with what and how the run's output came about.

    Args:
        report: The whole of it.
        path: Its file.
        names: What files are called.
        model: Its part on the model; empty where the run had none.
        direction: forward or backward.
    """
    fusion = report.get("fusion") or {}
    settings = {**report, **{key: fusion[key] for key in ("method", "weights") if key in fusion}}
    inputs = [names.of(str(entry)) for entry in report["inputs"]]
    more = f" and {len(inputs) - MOST_INPUTS} more" if len(inputs) > MOST_INPUTS else ""
    ways = f"{model['from']} to {model['to']} ({direction})" if model.get("from") else direction if model else ""
    facts = [
        ("Inputs", ", ".join(inputs[:MOST_INPUTS]) + more),
        ("Output", names.of(report["output"]) if isinstance(report["output"], str) else ""),
        ("Model", ", ".join(str(model[key]) for key in ("title", "name") if model.get(key))),
        ("Direction", ways),
        ("Weights, SHA-256", str(model.get("sha256") or "")),
        *((_title(key, title, model), _setting(settings.get(key))) for key, title in _SETTINGS),
    ]
    if isinstance(report.get("seconds"), int | float):
        facts.append(("Seconds", number(report["seconds"], "{:.1f}")))
    written = datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y-%m-%d %H:%M") if path.exists() else ""
    facts += [("Report", path.name if not names.anonymous else ""), ("Report written", written)]
    return [(name, names.text(value)) for name, value in facts if value]


def _title(key: str, title: str, model: Mapping[str, Any]) -> str:
    return "Slices through the network" if key == "slices" and model else title


def _setting(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(number(entry) if isinstance(entry, int | float) else str(entry) for entry in value)
    return number(value) if isinstance(value, int | float) else str(value or "")
