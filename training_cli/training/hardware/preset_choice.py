"""The preset of a training: which of its settings fits the device and the budget, and what is said of it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import torch

from surgical_style_engine.backends.devices import pick_device
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import PICTURE_ENDINGS, ending_of
from training_cli.training.config import TrainingConfig
from training_cli.training.config.method_registry import method_entry
from training_cli.training.config.method_settings import CycleGANSettings
from training_cli.training.config.presets import (
    CHOSEN,
    MR_RECIPE,
    NETWORK,
    PAIRED_RECIPE,
    SMALL_PATCH,
    images_within,
    ladder,
    rounded,
    too_few_sentence,
)
from training_cli.training.data.files import training_files
from training_cli.training.optimisation.finetune import adopt_settings

from .probe import seconds_an_image


def apply_preset(config: TrainingConfig, resume: bool, say: Callable[[str], None]) -> None:
    """Fill in what the preset chooses, and say what comes of it: once, before anything is prepared.

    A resumed run goes on with what was chosen at its beginning. Several processes measure nothing, as they must agree.

    Args:
        config: of the training; changed in place.
        resume: whether the run goes on from a checkpoint.
        say: gets lines for the person watching.

    Raises:
        InputError: for a device that is not here.
    """
    if config.preset == "none" or (resume and _as_it_began(config)):
        return
    device = pick_device(config.device)
    adopt_settings(config)
    kind = config.preset
    if kind == "auto":
        kind = "cpu" if device.type == "cpu" else "gpu"
    useful = useful_images(config)
    images: float | None = None
    chosen = config
    given = set(config.model_fields_set) | (set(NETWORK) | {"stack"} if config.init is not None else set())
    bilateral = _suits_bilateral(config)
    for settings in ladder(kind, given, bilateral, _recipe(config), os.cpu_count() or 1):
        chosen = config.model_copy(update=settings)
        images = _images(chosen, device)
        if images is None or images >= useful:
            break
    for name in sorted(chosen.model_fields_set - config.model_fields_set):
        setattr(config, name, getattr(chosen, name))
    say(_sentence(config, device, images))
    if images is not None and images < useful:
        say(too_few_sentence(images, useful, _enough(config, images, useful), _lighter(config, bilateral)))


def useful_images(config: TrainingConfig) -> int:
    """How many images a training should see; 0 for one that goes on from a finished model."""
    return 0 if config.init is not None else method_entry(config.method).useful_images


def _as_it_began(config: TrainingConfig) -> bool:
    """Take what was chosen from the run's folder; False where it tells nothing."""
    try:
        before = json.loads((Path(config.output) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(before, dict):
        return False
    given = set(config.model_fields_set)
    for name in CHOSEN:
        if name in before and name not in given:
            setattr(config, name, before[name])
    if "randomise" not in given and "randomise_settings" not in given:
        config.randomise_settings = before.get("randomise_settings", {})
    return True


def _suits_bilateral(config: TrainingConfig) -> bool:
    """Whether method and images have as many channels in as out, and the method asks for no other generator."""
    if not method_entry(config.method).any_generator or config.extra_list():
        return False
    return not any(_is_pictures(config, side) for side in ("source", "target"))


def _is_pictures(config: TrainingConfig, side: str) -> bool:
    """Whether a domain is of plain pictures, which may be in colour."""
    if getattr(config, f"{side}_modality") == "ART":
        return True
    try:
        return ending_of(training_files(config, side)[0]) in PICTURE_ENDINGS
    except InputError:
        return False  # told when the data are prepared


def _recipe(config: TrainingConfig) -> dict:
    """What goes with the bilateral generator: for pairs alone, what was measured."""
    if not method_entry(config.method).needs_pairs:
        return {}
    is_mr = config.source_modality == config.target_modality == "MR"
    return {**PAIRED_RECIPE, **(MR_RECIPE if is_mr else {})}


def _images(config: TrainingConfig, device: torch.device) -> float | None:
    seconds = None if config.max_minutes is None else seconds_an_image(_as_timed(config), device)
    return images_within(config.max_minutes, config.max_steps, _images_a_step(config), seconds)


def _as_timed(config: TrainingConfig) -> TrainingConfig:
    """The same without pseudo-pairs where there will be none: of pictures."""
    if not config.asks_pseudo_pairs() or not any(_is_pictures(config, side) for side in ("source", "target")):
        return config
    settings = config.section(CycleGANSettings).model_copy(update={"pseudo_pairs": "none"})
    return config.model_copy(update={"sections": {**config.sections, CycleGANSettings.section: settings}})


def _images_a_step(config: TrainingConfig) -> int:
    return config.batch_size * int(os.environ.get("WORLD_SIZE", 1))


def _budget(config: TrainingConfig) -> str:
    steps = "" if config.max_steps is None else f"{config.max_steps:,} step{'s' * (config.max_steps > 1)}"
    minutes = "" if config.max_minutes is None else f"{config.max_minutes:g} minutes"
    return " or ".join(filter(None, (minutes, steps)))


def _sentence(config: TrainingConfig, device: torch.device, images: float | None) -> str:
    generator = f"{config.generator} generator" if config.init is None else f"generator of {Path(config.init).name}"
    batch = f", {config.batch_size} at a time" if config.batch_size > 1 else ""
    count = "" if images is None else f", about {rounded(images)} images in {_budget(config)}"
    return f"{_device_words(config, device)}: {generator}, patches of {config.patch_size}{batch}{count}."


def _device_words(config: TrainingConfig, device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    threads = config.threads or torch.get_num_threads()
    return f"CPU with {threads} thread{'s' * (threads > 1)}"


def _enough(config: TrainingConfig, images: float, useful: int) -> str:
    """Options of a budget that would do."""
    factor = useful / max(images, 1e-9)
    options = []
    if config.max_minutes is not None:
        minutes = config.max_minutes * factor
        digits = 10 ** max(0, math.floor(math.log10(max(minutes, 1))) - 1)
        options.append(f"--max-minutes {math.ceil(minutes / digits) * digits:.0f}")
    if config.max_steps is not None:
        options.append(f"--max-steps {math.ceil(useful / _images_a_step(config))}")
    return " and ".join(options)


def _lighter(config: TrainingConfig, bilateral: bool) -> list[str]:
    """Options that need less time an image; none where steps are the budget."""
    if config.max_minutes is None:
        return []
    options = [f"--patch-size {SMALL_PATCH}"] if config.patch_size > SMALL_PATCH else []
    if bilateral and config.generator != "bilateral" and config.init is None:
        options.append("--generator bilateral")
    return options
