"""What reports say of models and of translated volumes, under stable keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from surgical_style_engine.metrics.averages import mean_metrics
from surgical_style_engine.models.folder import StyleModel

from .translate_case import TranslatedCase


def model_entry(model: StyleModel, direction: str) -> dict[str, Any]:
    """What a report says of the model."""
    card = model.card
    return {
        "name": card.name,
        "title": card.title,
        "direction": direction,
        "from": card.domain_from(direction).name,
        "to": card.domain_to(direction).name,
        "sha256": card.stored.sha256,
        "intended_use": card.intended_use,
        "folder": model.folder,
    }


def run_entry(translated: TranslatedCase) -> dict[str, Any]:
    """How a volume's network was run: device, backend, precision, slices."""
    translation = translated.translation
    return {
        "device": translation.device,
        "backend": translation.backend,
        "precision": translation.precision,
        "slices": translation.slices,
    }


def shared_entry(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The keys of a report that speak of all its volumes together.

    That is each kind of device, backend and precision that was used, and how many slices went through the network.
    """
    kinds = {
        name: ", ".join(sorted({entry[name] for entry in entries})) or None
        for name in ("device", "backend", "precision")
    }
    return {**kinds, "slices": sum(entry["slices"] for entry in entries)}


def shared_quality(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The one volume's metrics, or the means over several."""
    qualities = [entry["quality"] for entry in entries]
    return qualities[0] if len(qualities) == 1 else mean_metrics(qualities) if qualities else {}


def named_warnings(entries: Sequence[tuple[Path, Sequence[str]]]) -> list[str]:
    """Warnings on several inputs, each behind its input's name; of one input, as they are."""
    named = [(path.name, sentence) for path, warnings in entries for sentence in warnings]
    return [sentence if len(entries) == 1 else f"{name}: {sentence}" for name, sentence in named]
