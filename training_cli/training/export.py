"""The finished model folder from the averaged generators of a run."""

from __future__ import annotations

import platform
from datetime import date
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.model_folder import ModelCard, save_model
from surgical_style_engine.normalization import parse_normalization

from .cache import CachedItem, TrainingData, typical_landmarks
from .config import TrainingConfig


def export_model(
    config: TrainingConfig, data: TrainingData, generators: dict[str, torch.nn.Module], architecture: dict,
    steps: int, minutes: float, folder: Path | None = None,
) -> Path:  # fmt: skip
    """Write ``<run>/model/<name>`` (or ``folder``): weights in half precision, card and README. Returns the folder."""
    card = ModelCard(
        name=config.name,
        title=config.title or f"{config.source_name} to {config.target_name}",
        architecture={
            "name": config.generator,
            "arguments": architecture["forward"],
            "backward_arguments": architecture["backward"],
        },
        domains={"source": _domain(config, "source", data.source), "target": _domain(config, "target", data.target)},
        spacing_mm=config.spacing,
        plane=config.plane,
        stack=config.stack,
        stack_spacing_mm=config.stack_spacing,
        directions=sorted(generators, reverse=True),
        training={
            "method": config.method,
            "digest": config.digest(),
            "steps": steps,
            "minutes": round(minutes, 1),
            "settings": config.decisive(),
            "data": config.data_description,
            "volumes": {
                "source": [item.name for item in data.source],
                "target": [item.name for item in data.target],
                "pairs": [f"{a.name} + {b.name}" for a, b in data.pairs],
            },
            "precision": config.precision,
            "torch": torch.__version__.split("+")[0],
            "processor": platform.machine(),
            "date": date.today().isoformat(),
        },
        metrics={},
        licence=config.licence,
        citation=config.citation,
        intended_use=config.intended_use,
    )
    states = {
        direction: {key: value.detach().to("cpu", torch.float16) for key, value in network.state_dict().items()}
        for direction, network in generators.items()
    }
    target = folder or Path(config.output) / "model" / config.name
    save_model(target, card, states["forward"], states.get("backward"), model_readme(card), overwrite=True)
    return target


def _domain(config: TrainingConfig, side: str, items: list[CachedItem]) -> dict:
    kind = items[0].landmarks["kind"]
    spec = {"kind": kind}
    if kind == "hu_window":
        spec |= {"lower": config.hu_lower, "upper": config.hu_upper}
    return {
        "name": getattr(config, f"{side}_name"),
        "modality": getattr(config, f"{side}_modality"),
        "channels": items[0].load().shape[0],
        "units": getattr(config, f"{side}_units") or ("HU" if kind == "hu_window" else ""),
        "normalization": parse_normalization(spec),
        "inverse": typical_landmarks(items),
        "statistics": _statistics(items),
    }


def _statistics(items: list[CachedItem]) -> dict:
    """What the out-of-domain check compares with: a histogram of normalised body intensities and the raw range."""
    samples = []
    for item in items:
        array = item.load()
        values = np.asarray(array[:, item.body[:: max(1, len(item.body) // 12)]], np.float32).ravel()
        samples.append(values[values > -0.9])
    values = np.concatenate(samples) if samples else np.zeros(0, np.float32)
    counts, edges = np.histogram(values, bins=32, range=(-1, 1))
    return {
        "histogram": (counts / max(1, counts.sum())).round(6).tolist(),
        "edges": [float(edges[0]), float(edges[-1])],
        "raw_p1": [item.raw_statistics["p1"] for item in items],
        "raw_p99": [item.raw_statistics["p99"] for item in items],
        "slice_mm": sorted({round(item.slice_mm, 2) for item in items}),
    }


def model_readme(card: ModelCard) -> str:
    """The model card a person reads; the figures on held-out data are added by ``sst evaluate --write-card``."""
    source, target = card.domains.source, card.domains.target
    training = card.training
    volumes = training["volumes"]
    lines = [
        f"# {card.title}",
        "",
        f"{source.name} <-> {target.name}, {card.plane} slices at {card.spacing_mm:g} mm, stack of {card.stack}.",
        "",
        f"**Intended use.** {card.intended_use}",
        "",
        f"**Licence of the weights.** {card.licence}",
        "",
        f"**Training.** {training['method']}, {training['steps']} steps in {training['minutes']:g} minutes, "
        f"{training['precision']}, torch {training['torch']}, {training['date']}.",
        "",
        f"**Data.** {training['data'] or 'see the lists'}",
        "",
        f"- {source.name}: {', '.join(volumes['source'])}",
        f"- {target.name}: {', '.join(volumes['target'])}",
        f"- registered pairs: {', '.join(volumes['pairs']) or 'none'}",
        "",
        f"**Cite.** {card.citation or 'see the data'}",
        "",
    ]
    return "\n".join(lines)
