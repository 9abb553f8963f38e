"""The finished model folder from the averaged generators of a run."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import torch

from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.models.card import MANY_VERSION, Architecture, Direction, Domain, Domains, ModelCard
from surgical_style_engine.models.folder import save_model
from surgical_style_engine.volumes.histogram_distance import body_histogram, usual_distance
from surgical_style_engine.volumes.normalization import Normalization, parse_normalization
from training_cli.model_card import model_readme
from training_cli.training.data.items import CachedItem, TrainingData, typical_landmarks
from training_cli.training.data.many.prepare import ManyData, config_of

from .config import TrainingConfig
from .config.method_registry import method_entry
from .config.method_settings import MultiDomainSettings
from .config.presets import too_few_limit
from .usual_items import usual_of_items


@dataclass(frozen=True)
class TrainingResult:
    """What came of a training.

    Attributes:
        generators: the averaged networks by direction.
        architecture: by direction, the arguments that build them anew.
        steps: done.
        minutes: of training, over all resumed parts.
        images: seen, of all processes; of each domain.
        started_from: name, sha256 and directions of the model that a fine-tuning began with, else None.
        limits: sentences on what the model cannot be used for.
        more: what the method tells of itself.
    """

    generators: Mapping[Direction, torch.nn.Module]
    architecture: Mapping[Direction, dict[str, Any]]
    steps: int
    minutes: float
    images: int
    started_from: dict[str, Any] | None = None
    limits: Sequence[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def export_model(
    config: TrainingConfig, data: TrainingData, result: TrainingResult, folder: Path | None = None
) -> Path:
    """Write a model folder: weights in half precision, card and README.

    A model of several inputs gets its forward direction only: nothing is to be made of one image but one other.

    Args:
        config: of the training.
        data: that it was trained on.
        result: what came of it.
        folder: of the model; ``<run>/model/<name>`` if not given.

    Returns:
        The model's folder.

    Raises:
        StyleTransferError: where the weights are no numbers in half precision, or cannot be written.
    """
    if isinstance(data, ManyData):
        return _export_many(config, data, result, folder or Path(config.output) / "model" / config.name)
    generators = dict(result.generators)
    if data.source[0].inputs:
        generators = {"forward": generators["forward"]}
    states = {direction: half_precision(network) for direction, network in generators.items()}
    target = folder or Path(config.output) / "model" / config.name
    card = _card(config, data, result, sorted(generators, reverse=True))
    save_model(target, card, states["forward"], states.get("backward"), model_readme(card), overwrite=True)
    return target


def _export_many(config: TrainingConfig, data: ManyData, result: TrainingResult, folder: Path) -> Path:
    """The folder of a model for many domains, with one generator and a card of schema version 2."""
    folders = config.section(MultiDomainSettings).domains
    domains = [_domain(config_of(config, name, folders[name]), "source", data.items(name)) for name in data.names]
    card = ModelCard.model_validate(
        {
            "schema_version": MANY_VERSION,
            "name": config.name,
            "title": config.title or f"Any of {', '.join(data.names)} into any other",
            "architecture": Architecture(name=config.generator, arguments=result.architecture["forward"]),
            "domains": [domain.model_dump() for domain in domains],
            "spacing_mm": config.spacing,
            "plane": config.plane,
            "stack": config.stack,
            "stack_spacing_mm": config.stack_spacing,
            "training": _training(config, data, result) | {"volumes": _volumes(data)},
            "licence": config.licence,
            "citation": config.citation,
            "intended_use": config.intended_use,
        }
    )
    save_model(folder, card, half_precision(result.generators["forward"]), readme=model_readme(card), overwrite=True)
    return folder


def _volumes(data: ManyData) -> dict[str, list[str]]:
    """Names of the volumes by domain, and what belonged to one patient under "pairs"."""
    together = [" + ".join(item.name for item in group.values()) for group in data.groups if len(group) > 1]
    return {name: [item.name for item in data.items(name)] for name in data.names} | {"pairs": together}


def _card(config: TrainingConfig, data: TrainingData, result: TrainingResult, directions: list[Direction]) -> ModelCard:
    return ModelCard(
        name=config.name,
        title=config.title or f"{config.source_name} to {config.target_name}",
        architecture=Architecture(
            name=config.generator,
            arguments=result.architecture["forward"],
            backward_arguments=result.architecture.get("backward") if "backward" in directions else None,
        ),
        domains=Domains(source=_domain(config, "source", data.source), target=_domain(config, "target", data.target)),
        spacing_mm=config.spacing,
        plane=config.plane,
        stack=config.stack,
        stack_spacing_mm=config.stack_spacing,
        directions=directions,
        training=_training(config, data, result),
        metrics={},
        licence=config.licence,
        citation=config.citation,
        intended_use=config.intended_use,
    )


def _training(config: TrainingConfig, data: TrainingData, result: TrainingResult) -> dict[str, Any]:
    """What the card tells of the training."""
    few = "" if result.started_from else too_few_limit(result.images, method_entry(config.method).useful_images)
    limits = [*([few] if few else []), *result.limits]
    return {
        "method": config.method,
        **result.more,
        "digest": config.digest(),
        "steps": result.steps,
        "images": result.images,
        "minutes": round(result.minutes, 1),
        "settings": config.decisive(),
        "data": config.data_description,
        "notes": config.notes,
        "volumes": {
            "source": [item.name for item in data.source],
            "target": [item.name for item in data.target],
            "pairs": [f"{a.name} + {b.name}" for a, b in data.pairs],
            **({"pseudo_pairs": [b.name for _, b in data.pseudo_pairs]} if data.pseudo_pairs else {}),
        },
        "precision": config.precision,
        "torch": torch.__version__.split("+")[0],
        "processor": platform.machine(),
        "date": date.today().isoformat(),
        **({"started_from": result.started_from} if result.started_from else {}),
        **({"limits": limits} if limits else {}),
    }


def half_precision(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A network's weights on the CPU, floating point ones as fp16; counters (of batch normalisation) stay whole.

    Raises StyleTransferError for weights that are no numbers in it.
    """
    state = {key: value.detach().cpu() for key, value in network.state_dict().items()}
    state = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    for key, value in state.items():
        if not bool(torch.isfinite(value).all()):
            raise StyleTransferError(f"The weights {key} are infinite or NaN in half precision; no model was written.")
    return state


def _domain(config: TrainingConfig, side: str, items: list[CachedItem]) -> Domain:
    kind = items[0].landmarks["kind"]
    values = {
        "name": getattr(config, f"{side}_name"),
        "modality": getattr(config, f"{side}_modality"),
        "channels": items[0].load().shape[0],
        "units": getattr(config, f"{side}_units") or ("HU" if kind == "hu_window" else ""),
        "normalization": _specification(config, kind),
        "inverse": typical_landmarks(items),
        "statistics": {} if items[0].inputs else _statistics(items, config.spacing),
        "inputs": _inputs(config, items[0]) if items[0].inputs else [],
    }
    return Domain.model_validate(values)


def _inputs(config: TrainingConfig, item: CachedItem) -> list[dict[str, Any]]:
    """Name and normalisation of each channel of a source domain of several modalities."""
    names = [config.source_name, *config.extra_name_list()]
    names += [f"input {number + 1}" for number in range(len(names), len(item.inputs))]
    return [
        {"name": name, "normalization": _specification(config, landmarks["kind"])}
        for name, landmarks in zip(names, item.inputs, strict=True)
    ]


def _specification(config: TrainingConfig, kind: str) -> Normalization:
    window = {"lower": config.hu_lower, "upper": config.hu_upper} if kind == "hu_window" else {}
    return parse_normalization({"kind": kind, **window})


def _statistics(items: list[CachedItem], spacing: float | None) -> dict[str, Any]:
    """What the out-of-domain check compares with.

    The histograms of the volumes' normalised body intensities, how far apart they are themselves, the recogniser's
    features, and the raw range.
    """
    histograms = []
    for item in items:
        shares = body_histogram(item.load()[:, item.body[:: max(1, len(item.body) // 12)]])
        if shares is not None:
            histograms.append(shares.round(5).tolist())
    usual = usual_of_items(items, spacing)
    return {
        **({"usual": usual} if usual else {}),
        "histograms": histograms,
        "usual_distance": round(usual_distance(histograms), 4),
        "raw_p1": [item.raw_statistics["p1"] for item in items],
        "raw_p99": [item.raw_statistics["p99"] for item in items],
        "slice_mm": sorted({round(item.slice_mm, 2) for item in items}),
    }
