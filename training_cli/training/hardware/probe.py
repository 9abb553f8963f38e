"""How long a training takes an image, measured on noise before it starts."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.backends import autotune
from surgical_style_engine.backends.devices import bf16_helps
from surgical_style_engine.errors import StyleTransferError
from training_cli.training.config import TrainingConfig
from training_cli.training.data.dataset import SampleByNumber
from training_cli.training.data.items import CachedItem, TrainingData
from training_cli.training.methods.build import build_method
from training_cli.training.state.checkpoint import random_state, set_random_state

SMALL = 64  # pixels of the patch that is measured first
LONGEST_STEP = 1.5  # seconds of a step that is still measured at its full size
REPEATS = 2
MIDDLE = 10_000  # steps done, as in the middle of a training: what comes in late is measured as well
BEFORE_END = 1e-3  # of a share of the budget
RATE = 1e-6  # of learning; what is learned is thrown away


def seconds_an_image(config: TrainingConfig, device: torch.device) -> float | None:
    """Seconds that a training takes an image: preparing it, and its part of a step.

    A step is measured on a small patch, and at its full size only where that takes no more than a second or so; else it
    is taken to grow with the pixels. Where the budget begins with quicker steps, as of pseudo-pairs alone, both kinds
    are measured. Random generators are left as they were.

    Args:
        config: of the training; nothing of its data is read, but for the picture of a style.
        device: that it runs on.

    Returns:
        None where nothing is to be measured (SST_PROBE, several processes), or the training cannot be built.
    """
    if not autotune.is_on() or int(os.environ.get("WORLD_SIZE", 1)) > 1:
        return None
    if config.threads:
        torch.set_num_threads(config.threads)
    random = random_state()
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _measured(config, device, Path(folder))
    except (StyleTransferError, RuntimeError, MemoryError, OSError):
        return None  # the training itself will say what is wrong
    finally:
        set_random_state(random)


def _measured(config: TrainingConfig, device: torch.device, folder: Path) -> float:
    side = min(SMALL, config.patch_size)
    small = config.model_copy(update={"patch_size": side, "batch_size": 1})
    step = _step_seconds(small, device, folder / "small")[0]
    step *= (config.patch_size / side) ** 2
    prepare: float
    if step * config.batch_size <= LONGEST_STEP:
        step, prepare = _step_seconds(config, device, folder / "full")
    else:
        prepare = _seconds(lambda: _samples(config, folder / "full")[0])
    # Other processes prepare images meanwhile.
    return max(step, prepare / config.workers) if config.workers else step + prepare


def _step_seconds(config: TrainingConfig, device: torch.device, folder: Path) -> tuple[float, float]:
    """Seconds an image of a step, on the mean of the budget, and of preparing it."""
    samples = _samples(config, folder)
    prepare = _seconds(lambda: samples[1])
    images = [samples[number] for number in range(config.batch_size)]
    batch = {key: torch.stack([image[key] for image in images]).to(device) for key in images[0]}
    method = build_method(config.method, config, 1, 1, device, _autocast(config, device))
    method.steps = MIDDLE
    lead = method.leading_share()
    shares = [(lead - BEFORE_END, lead), (1 - BEFORE_END, 1 - lead)]

    def step(progress: float) -> None:
        # Numbers are waited for.
        _ = [float(value) for value in method.step(batch, progress, RATE).values()]

    # A budget is of time, so that its shares hold as many images as fit into each.
    images_a_second = sum(
        share * config.batch_size / _seconds(partial(step, progress)) for progress, share in shares if share > 0
    )
    return 1 / images_a_second, prepare


def _seconds(run: Callable[[], object]) -> float:
    """The fastest of some runs after a first one."""
    measured = []
    for _ in range(REPEATS + 1):
        begun = time.perf_counter()
        run()
        measured.append(time.perf_counter() - begun)
    return min(measured[1:])


def _autocast(config: TrainingConfig, device: torch.device) -> Callable[[], AbstractContextManager]:
    """As the training will run; on a CPU fp32 is taken, which is at least not too fast."""
    if config.precision == "fp32" or device.type == "cpu" or not bf16_helps(device):
        return contextlib.nullcontext
    return lambda: torch.autocast(device.type, torch.bfloat16)


def _samples(config: TrainingConfig, folder: Path) -> SampleByNumber:
    """Samples of two made-up volumes of noise, all of them pairs where there are pairs or pseudo-pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    side = config.patch_size + 32
    noise = np.random.default_rng(0).random((1, 3, side, side), np.float32) * 2 - 1
    np.save(folder / "noise.npy", noise.astype(np.float16))
    item = CachedItem("noise", folder / "noise.npy", 3.0, np.arange(3), (0, side, 0, side), {"kind": "zscore"}, {})
    together = [(item, item)]
    data = TrainingData([item], [item], [] if config.pairs is None else together)
    data.pseudo_pairs.extend(together if config.asks_pseudo_pairs() else [])
    return SampleByNumber(data, config.model_copy(update={"pairs_fraction": 1.0}))
