"""Watches a training for what goes wrong without an error, tells it once, and keeps it in the run's warnings.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from surgical_style_engine.common.atomic_write import replacing

from .failures import (
    DETECTORS,
    Check,
    Evidence,
    differences,
    fine_energy,
    rank_correlation,
    wasserstein,
)

FILE = "warnings.json"
BODY = -0.9  # normalised intensity above which there is more than air
FEWEST = 50  # pixels of a body
Batches = Sequence[Mapping[str, torch.Tensor]]


class Watch:
    """What was recorded of a run, and what was said of it.

    Args:
        folder: of the run; what its file tells up to ``step`` is taken up again.
        step: that the training goes on from, 0 at a start.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        self.path = Path(folder) / FILE
        self.evidence = Evidence()
        self.warnings: list[dict[str, Any]] = []
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        if step:
            self._read(step)

    def record(self, losses: Mapping[str, float]) -> None:
        """Take in the losses of a step."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def add(self, check: Check, say: Callable[[str], None]) -> None:
        """Take in a check, tell what is seen for the first time, and write the file. Raises OSError."""
        self.evidence.checks.append(check)
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        self.evidence.losses.append({"step": check.step, **means})
        self._sums, self._counts = {}, {}
        said = {entry["kind"] for entry in self.warnings}
        for kind, sentence in self.standing().items():
            if kind not in said:
                self.warnings.append({"kind": kind, "step": check.step, "text": sentence})
                say(f"Warning at step {check.step}: {sentence}")
        kept = {"warnings": self.warnings, "checks": [asdict(c) for c in self.evidence.checks]}
        with replacing(self.path) as temporary:
            temporary.write_text(json.dumps({**kept, "losses": self.evidence.losses}), encoding="utf-8")

    def standing(self) -> dict[str, str]:
        """What is wrong as things stand, by kind."""
        sentences = {kind: detector(self.evidence) for kind, detector in DETECTORS.items()}
        return {kind: sentence for kind, sentence in sentences.items() if sentence}

    def _read(self, step: int) -> None:
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            checks = [Check(**entry) for entry in kept["checks"] if entry["step"] <= step]
            losses = [row for row in kept["losses"] if row["step"] <= step]
            warnings = [entry for entry in kept["warnings"] if entry["step"] <= step]
        except (OSError, ValueError, KeyError, TypeError):
            return  # a run of an earlier version, or one that was not checked yet
        self.evidence, self.warnings = Evidence(checks, losses), warnings


@torch.no_grad()
def check_generator(
    generator: torch.nn.Module, batches: Batches, aside: Batches, place: tuple[int, float], stack: int
) -> Check:
    """Look at what the forward generator makes of some fixed slices.

    Args:
        generator: from source to target.
        batches: of one image each, "a" and "b" (1, stack*c, h, w), "weight" (1, 1, h, w), "paired" (1,).
        aside: the same of pairs that are not learned from; may be empty.
        place: step and share of the budget used.
        stack: slices given to the network at a time.
    """
    sources = [_middle(batch["a"], stack) for batch in batches]
    targets = [_middle(batch["b"], stack) for batch in batches]
    translations = [_middle(generator(batch["a"]), stack) for batch in batches]
    bodies = [source > BODY for source in sources]
    inside = [body if body.sum() >= FEWEST else np.ones_like(body) for body in bodies]
    source_tones, tones = (_tones(images, inside) for images in (sources, translations))
    target_tones = _tones(targets, [image > BODY if (image > BODY).any() else image > -2 for image in targets])
    pairs = [number for number, batch in enumerate(batches) if bool(batch["paired"].any())]
    real_order = float("nan")
    if pairs:
        real_order = rank_correlation(
            *(_tones([images[n] for n in pairs], [inside[n] for n in pairs]) for images in (sources, targets))
        )
    return Check(
        step=place[0],
        progress=place[1],
        diversity=differences(translations),
        real_diversity=differences(targets),
        change=float(np.mean([np.abs(s - t)[i].mean() for s, t, i in zip(sources, translations, inside, strict=True)])),
        domain_gap=wasserstein(source_tones, target_tones),
        distance=wasserstein(tones, target_tones),
        order=rank_correlation(source_tones, tones),
        real_order=real_order,
        checkers=fine_energy(translations),
        real_checkers=fine_energy([*sources, *targets]),
        trained=_error([translations[n] for n in pairs], [batches[n] for n in pairs], stack),
        kept_aside=_error([_middle(generator(batch["a"]), stack) for batch in aside], aside, stack),
    )


def _middle(images: torch.Tensor, stack: int) -> np.ndarray:
    """(1, stack*c, h, w), or one slice alone -> (h, w) of the middle slice's first channel."""
    channels = images.shape[1]
    number = (stack // 2) * (channels // stack) if channels % stack == 0 else 0
    return images[0, number].float().cpu().numpy()


def _tones(images: Sequence[np.ndarray], inside: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([image[body] for image, body in zip(images, inside, strict=True)])


def _error(translations: Sequence[np.ndarray], batches: Batches, stack: int) -> float:
    """Mean absolute error where pairs may be compared; NaN without any."""
    errors = []
    for translation, batch in zip(translations, batches, strict=True):
        real, weight = (
            _middle(batch["b"], stack),
            batch["weight"][0, 0].cpu().numpy() * (_middle(batch["a"], stack) > BODY),
        )
        if weight.any():
            errors.append(float((np.abs(translation - real) * weight).sum() / weight.sum()))
    return float(np.mean(errors)) if errors else float("nan")
