"""A model folder from the checkpoints of a run, finished or not: one of them, or the mean of several."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.names import check_name
from training_cli.training.config import TrainingConfig
from training_cli.training.config.method_settings import EARLIER
from training_cli.training.data.items import TrainingData
from training_cli.training.data.prepare_any import prepare_any
from training_cli.training.export import TrainingResult, export_model
from training_cli.training.methods.build import build_method

from .checkpoint import load_checkpoint
from .resume import changed_settings
from .unpaired_score import unpaired_score
from .watch import Watch

SELECTIONS = ("best", "last")
BEST_NOTE = "Of the run's checkpoints this one had the highest score without pairs."


def export_checkpoints(
    run: Path,
    steps: Sequence[int] = (),
    name: str = "",
    folder: Path | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
    select: str = "last",
) -> Path:
    """Write a model from a run's checkpoints; returns its folder, ``<run>/model/<name>`` unless ``folder`` is given.

    steps: of the checkpoints; if empty, the newest one, or the one of the highest ``unpaired_score`` where select is
    "best". Of several the mean of the averaged weights is taken
    (stochastic weight averaging, Izmailov et al., UAI 2018), which the card says. The card is made from the training
    data, so that they must still be where they were; the run's cache is used. Raises InputError, StyleTransferError.
    """
    checkpoints = _checkpoints(run)
    if select not in SELECTIONS or (steps and select != "last"):
        raise InputError("Choose checkpoints by --step, or by --select best or last, not by both.")
    chosen = sorted(set(steps)) or [_newest(checkpoints, say)]
    for step in chosen:
        if step not in checkpoints:
            listed = ", ".join(map(str, sorted(checkpoints)))
            raise InputError(f"The run {run} has no checkpoint of step {step}; there are {listed}.")
    config = _config(run)
    config.name = check_name(name or config.name)
    target = folder or run / "model" / config.name
    if target.exists() and not overwrite:
        raise InputError(f"The model {target} exists already; give another --name, or --overwrite.")
    data = prepare_any(config, run / "cache", say)
    if select == "best":
        chosen = [_best(config, data, checkpoints, say)]
        config.notes = " ".join(filter(None, [BEST_NOTE, config.notes]))
    result = _mean(config, data, [checkpoints[step] for step in chosen])
    result = replace(result, limits=list(Watch(run, chosen[-1]).standing().values()))
    if len(chosen) > 1:
        config.notes = " ".join(filter(None, [_said(chosen), config.notes]))
    return export_model(config, data, result, target)


def _config(run: Path) -> TrainingConfig:
    """The settings of a run, with the folder where it lies now."""
    path = run / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return TrainingConfig(**{**EARLIER, **values, "output": run})
    except (OSError, ValueError, TypeError, ValidationError):
        raise InputError(f"The settings {path} cannot be read.") from None


def _checkpoints(run: Path) -> dict[int, Path]:
    """The finished checkpoints of a run by their step; at least one."""
    if not (run / "config.json").is_file():
        raise InputError(f"The folder {run} is no run of sst train.")
    named = {path: re.fullmatch(r"checkpoint-(\d+)\.pt", path.name) for path in (run / "checkpoints").glob("*.pt")}
    by_step = {int(match[1]): path for path, match in named.items() if match}
    if not by_step:
        raise InputError(f"The run {run} has no checkpoint yet.")
    return by_step


def _newest(checkpoints: dict[int, Path], say: Callable[[str], None]) -> int:
    """The step of the newest checkpoint that can be read. Raises InputError where none can."""
    problem: InputError | None = None
    for step, path in sorted(checkpoints.items(), reverse=True):
        try:
            load_checkpoint(path)
        except InputError as error:
            problem = problem or error
            say(f"Warning: {path.name} is damaged and is left out; an older one is looked for.")
        else:
            return step
    raise problem or InputError("There is no checkpoint.")


def _mean(config: TrainingConfig, data: TrainingData, paths: list[Path]) -> TrainingResult:
    """The generators with the mean of the averaged weights of checkpoints, and what the last of these tells."""
    channels_a, channels_b = data.source[0].channels, data.target[0].channels
    method = build_method(config.method, config, channels_a, channels_b, torch.device("cpu"), contextlib.nullcontext)
    total: dict[str, dict[str, torch.Tensor]] = {}
    state: dict[str, Any] = {}
    for path in paths:
        state = load_checkpoint(path)
        if changed_settings(state, config) or state.get("channels") != [channels_a, channels_b]:
            raise InputError(f"{path.name} was trained with other settings or images than the run's config.json says.")
        method.load_state_dict(state["method"])
        for direction, network in method.generators().items():
            sums = total.setdefault(direction, {})
            for key, value in network.state_dict().items():
                share = value.double() / len(paths) if value.is_floating_point() else value.clone()
                # What only counts is the last checkpoint's.
                sums[key] = sums[key] + share if key in sums and value.is_floating_point() else share
    generators = method.generators()
    for direction, network in generators.items():
        network.load_state_dict(total[direction])
    step = int(state["step"])
    return TrainingResult(
        generators,
        method.architecture,
        step,
        float(state["minutes"]),
        int(state.get("images", step * config.batch_size)),
        state.get("started_from"),
        more=method.card_entries(),
    )


def _best(config: TrainingConfig, data: TrainingData, checkpoints: dict[int, Path], say: Callable[[str], None]) -> int:
    """The step whose translations from source to target look best without pairs; every one's score is said."""
    scores = {}
    for step, path in sorted(checkpoints.items()):
        network = _mean(config, data, [path]).generators["forward"]
        figures = unpaired_score(network, data, config)
        scores[step] = figures["score"]
        parts = ", ".join(f"{name} {value:.3f}" for name, value in figures.items() if name != "score")
        say(f"step {step}: score {figures['score']:.3f} ({parts})")
    return max(scores, key=lambda step: (scores[step], step))


def _said(steps: list[int]) -> str:
    listed = ", ".join(map(str, steps[:-1])) + f" and {steps[-1]}"
    return f"The weights are the mean of the averaged weights at steps {listed} (Izmailov et al., UAI 2018)."
