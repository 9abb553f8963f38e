"""The page of a training: its curves, its samples, the card of the model that came of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from surgical_style_engine.common.version import __version__
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import read_card

from .charts import Chart, chart
from .facts import card_facts
from .page import environment, part
from .sheets import data_uri
from .table import number

MOST_SAMPLES = 8
WIDEST_SAMPLE = 1200  # pixels
# Columns of losses.csv that are no losses; the rest are drawn, in the file's order.
_NOT_LOSSES = ("step", "seconds", "waiting")
_TITLES = {
    "learning_rate": "Learning rate",
    "generators": "Generators, all terms",
    "pairs": "Supervised by pairs",
}
WAITED = 0.3  # part of the time spent waiting for data from which the page says so
# Settings that the page shows; those that name files stay away.
_SETTINGS = (
    ("method", "Method"),
    ("generator", "Generator"),
    ("discriminator", "Discriminator"),
    ("plane", "Plane"),
    ("spacing", "Spacing (mm)"),
    ("stack", "Slices at a time"),
    ("patch_size", "Patch (pixels)"),
    ("batch_size", "Batch"),
    ("learning_rate", "Learning rate"),
    ("adversarial", "Adversarial loss"),
    ("lambda_cycle", "Weight of the cycle"),
    ("lambda_identity", "Weight of the identity"),
    ("lambda_pairs", "Weight of pairs"),
    ("precision", "Precision"),
    ("seed", "Seed"),
)


@dataclass
class Run:
    """What a run folder holds.

    Attributes:
        name: Of the run.
        title: Of what it trains.
        charts: Its losses.
        steps: The last step told.
        minutes: Spent in steps.
        waiting: Part of them spent on waiting for data.
        samples: (caption, columns, picture as data URI).
        settings: (name, value) lines.
        warnings: Sentences.
    """

    name: str
    title: str
    charts: list[Chart]
    steps: int
    minutes: float
    waiting: float
    samples: list[tuple[str, str, str]] = field(default_factory=list)
    settings: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a training."""
    return folder.is_dir() and ((folder / "losses.csv").is_file() or (folder / "config.json").is_file())


def read_run(folder: Path) -> Run:
    """Read a run folder, also of a training that still goes on or crashed. Raises InputError where nothing is told."""
    rows = _rows(folder / "losses.csv")
    if not rows:
        raise InputError(f"The run folder {folder} tells no step of a training yet (losses.csv).")
    settings = _settings(folder / "config.json")
    steps = [row["step"] for row in rows]
    names = sorted((name for name in rows[0] if name not in _NOT_LOSSES), key=lambda name: name == "learning_rate")
    charts = [
        chart(_TITLES.get(name, name.replace("_", " ").capitalize()), steps, [row.get(name) for row in rows])
        for name in names
    ]
    seconds = sum(row.get("seconds") or 0.0 for row in rows)
    waiting = sum(row.get("waiting") or 0.0 for row in rows) / seconds if seconds else 0.0
    run = Run(
        str(settings.get("name") or folder.resolve().name),
        _title(settings),
        [drawn for drawn in charts if drawn],
        int(steps[-1]),
        seconds / 60,
        waiting,
    )
    run.samples = _samples(folder / "samples", settings)
    run.settings = [
        (title, number(settings[key]) if isinstance(settings[key], int | float) else str(settings[key]))
        for key, title in _SETTINGS
        if settings.get(key) not in (None, "", False)
    ]
    if not any((folder / "model").glob("*/model.json")):
        run.warnings.append("No model was exported: the training still runs, was stopped, or failed.")
    run.warnings += _told(folder / "warnings.json")
    if waiting > WAITED:
        run.warnings.append(f"{waiting:.0%} of the time went into waiting for data; the disk or --workers limits it.")
    if not run.samples:
        run.warnings.append("There are no sample pictures; without them, adversarial losses say little.")
    return run


def build_run_page(folder: Path, anonymous: bool = False) -> str:
    """The HTML of the page of a training's run folder.

    Args:
        folder: Of the run.
        anonymous: Without its name.

    Raises:
        InputError: It tells no step of a training yet.
    """
    run = read_run(folder)
    card = None
    for file in sorted((folder / "model").glob("*/model.json")):
        try:
            card = read_card(file.parent)
        except InputError as error:
            run.warnings.append(str(error) if not anonymous else "The exported model cannot be read.")
    written = datetime.fromtimestamp((folder / "losses.csv").stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    facts = [
        ("Steps", f"{run.steps}"),
        ("Minutes in steps", f"{run.minutes:.1f}"),
        ("Waiting for data", f"{run.waiting:.0%}"),
        ("Last step told", written),
        ("Run folder", "" if anonymous else folder.resolve().name),
    ]
    return (
        environment()
        .get_template("training.html")
        .render(
            run=run,
            card=card,
            card_facts=card_facts(card),
            version=__version__,
            lines=[(name, value) for name, value in facts + run.settings if value],
            style=part("page.css"),
            written=datetime.now().strftime("%Y-%m-%d %H:%M"),
        )
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    """The whole rows of losses.csv as numbers, None where a term did not run; a last one cut short is left out."""
    rows: list[dict[str, Any]] = []
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if None in row or None in row.values() or not str(row.get("step")).isdigit():
                    continue
                rows.append({key: _number(value) for key, value in row.items()})
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    return rows


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _told(path: Path) -> list[str]:
    """What was seen to go wrong; nothing where nothing was, or in runs that were not watched."""
    warnings = _settings(path).get("warnings")
    told = [entry for entry in warnings if isinstance(entry, Mapping)] if isinstance(warnings, list) else []
    return [f"Step {entry['step']}: {entry['text']}" for entry in told if {"step", "text"} <= entry.keys()]


def _settings(path: Path) -> Mapping[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, Mapping) else {}


def _title(settings: Mapping[str, Any]) -> str:
    source, target = settings.get("source_name"), settings.get("target_name")
    return f"{source} to {target}" if source and target else str(settings.get("title") or "")


def _samples(folder: Path, settings: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(caption, columns, picture as data URI) of the first and last samples and some between, the last one first."""
    files = sorted(folder.glob("step-*.png"))
    chosen = sorted({round(place) for place in np.linspace(0, len(files) - 1, min(MOST_SAMPLES, len(files)))})
    a, b = settings.get("source_name") or "A", settings.get("target_name") or "B"
    samples = []
    for file in [files[place] for place in reversed(chosen)]:
        try:
            with Image.open(file) as picture:
                image = picture.convert("RGB")
        except OSError:  # a training that goes on may be writing it
            continue
        # Three pictures side by side, a patch wide each, have no way back.
        one_way = round(image.width / float(settings.get("patch_size") or image.width / 6)) == 3
        if image.width > WIDEST_SAMPLE:
            image = image.resize((WIDEST_SAMPLE, round(image.height * WIDEST_SAMPLE / image.width)))
        step = file.stem.removeprefix("step-").lstrip("0") or "0"
        columns = f"{a}, made {b}, {b}" if one_way else f"{a}, made {b}, {a} again, {b}, made {a}, {b} again"
        samples.append((f"Step {step}", columns, data_uri(np.asarray(image))))
    return samples
