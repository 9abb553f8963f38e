"""The README.md of a model folder, made from its card, and the figures that evaluations add to both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.metrics.card_entry import card_entry, card_metrics
from surgical_style_engine.models.calibration import read_calibration
from surgical_style_engine.models.card import Domain, ModelCard, read_card, write_card

from .calibration.readme import section
from .lesion_card import lesion_parts

ROWS = {"": "this model", "input": "the input itself", "histogram_matched": "the input, histogram matched"}


def add_metrics(folder: Path, label: str, quality: Mapping[str, Any]) -> ModelCard:
    """Store an evaluation's mean figures under ``label`` in model.json and write README.md anew; returns the card.

    quality: as in the report of ``sst evaluate``. An earlier evaluation of that label is replaced. Raises InputError,
    and StyleTransferError where the folder cannot be written.
    """
    if not label.strip():
        raise InputError("The figures need a label that says on what they were measured.")
    card = read_card(folder)
    card = card.model_copy(update={"metrics": {**card.metrics, label.strip(): card_entry(quality)}})
    try:
        write_card(folder, card)
        write_readme(folder, card)
    except OSError as error:
        raise StyleTransferError(f"The model card in {folder} cannot be written: {error.strerror}.") from None
    return card


def write_readme(folder: Path, card: ModelCard) -> None:
    """Write README.md under a temporary name, then rename, with what is known of errors. Raises OSError."""
    path = Path(folder) / "README.md"
    calibration = read_calibration(Path(folder), card)
    known = "" if calibration is None else f"\n{section(card, calibration)}"
    with replacing(path) as temporary:
        temporary.write_text(model_readme(card) + known, encoding="utf-8")


def model_readme(card: ModelCard) -> str:
    """The model card as a person reads it."""
    training = card.training
    spacing = "the input's own spacing" if card.spacing_mm is None else f"{card.spacing_mm:g} mm"
    stack = f", each with its neighbours ({card.stack} slices, {card.stack_spacing_mm:g} mm apart)"
    parts = [
        f"# {card.title}",
        f"{_ways(card)}, {card.plane} slices at {spacing}{stack if card.stack > 1 else ''}. "
        f"Network: {card.architecture.name} {_arguments(card)}.",
        f"**Intended use.** {card.intended_use}",
    ]
    if card.metrics:
        parts += ["## Figures", *(_figures(label, values) for label, values in card.metrics.items())]
        parts.append(
            "Intensities are normalised to [-1, 1], so that the MAE is out of 2; PSNR's range is that of the reference "
            "inside the mask (its 0.5 to 99.5 percentile). Look-Ahead Score and Jigsaw Puzzle Error: 0 is perfect; "
            "Semantic Consistency: 1 is."
        )
    parts += [
        *lesion_parts(card),
        "## Training",
        f"{training['method']}, {training['steps']} steps{_images(training)} in {training['minutes']:g} minutes "
        f"({training['precision']}, torch {training['torch']}, {training['processor']}, {training['date']}).",
    ]
    if training.get("reference"):
        sites, look = ", ".join(training["sites"]), training["reference"]
        parts.append(f"It brings scans of any scanner into the look of {look}; it learned from the sites {sites}.")
    if training.get("limits"):
        parts.append(f"**Limits.** {' '.join(training['limits'])}")
    if training.get("started_from"):
        start = training["started_from"]
        parts.append(f"Started from the weights of {start['name']} (SHA-256 {start['sha256']}).")
    if training.get("notes"):
        parts.append(training["notes"])
    parts += [
        f"**Data.** {training['data'] or 'See the lists.'}",
        _volumes(card),
        f"**Licence of the weights.** {card.licence}",
        f"**Cite.** {card.citation or 'See the data.'}",
    ]
    return "\n\n".join(parts) + "\n"


def _ways(card: ModelCard) -> str:
    """What is made of what."""
    if card.is_many:
        whole = set(card.targets) == set(card.names)
        return f"Any of {', '.join(card.names)}, one or several, into {'any other' if whole else _either(card.targets)}"
    both = "<->" if len(card.directions) == 2 else "->"
    return f"{_inputs(card.domains.source)} {both} {card.domains.target.name}"


def _either(names: Sequence[str]) -> str:
    """The names, such as: T1w, T2w or FLAIR."""
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def _volumes(card: ModelCard) -> str:
    """The training volumes, a line a domain, and those that belonged together."""
    volumes, source, target = card.training["volumes"], card.domains.source, card.domains.target
    keys = {name: name for name in card.names} if card.is_many else {"source": source.name, "target": target.name}
    lines = [f"- {name}: {', '.join(volumes[key])}" for key, name in keys.items()]
    return "\n".join([*lines, f"- registered pairs: {', '.join(volumes['pairs']) or 'none'}"])


def _images(training: Mapping[str, Any]) -> str:
    """' (800 images)'; nothing of models whose card does not tell."""
    return f" ({training['images']:,} images)" if training.get("images") else ""


def _inputs(domain: Domain) -> str:
    """'T1w', or 'T1w + FLAIR' for a model of several inputs."""
    return " + ".join(part.name for part in domain.inputs) or domain.name


def _arguments(card: ModelCard) -> str:
    return "(" + ", ".join(f"{key} {value}" for key, value in card.architecture.arguments.items()) + ")"


def _figures(label: str, values: Mapping[str, Any]) -> str:
    """A heading line and a table of one evaluation."""
    lines = [f"**{label}**", ""]
    paired = [metric for metric in card_metrics(paired=True) if metric.key in values]
    if paired and "floors" in values:
        lines += [f"| | {' | '.join(metric.heading for metric in paired)} |", f"|---|{'---|' * len(paired)}"]
        for key, name in ROWS.items():
            row = values["floors"].get(key, {}) if key else values
            lines.append(f"| {name} | {' | '.join(metric.number(row.get(metric.key)) for metric in paired)} |")
        lines.append("")
    alone = [metric for metric in card_metrics(paired=False) if metric.key in values]
    scores = [f"{metric.title} {metric.number(values[metric.key])}" for metric in alone]
    return "\n".join([*lines, ", ".join(scores) + "." if scores else ""]).rstrip()
