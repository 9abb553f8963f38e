"""The device, precision and processes of a training, through Accelerate."""

from __future__ import annotations

from datetime import timedelta

from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs

from surgical_style_engine.backends.devices import pick_device
from surgical_style_engine.common import heap
from surgical_style_engine.errors import InputError
from training_cli.training.config import TrainingConfig

from .precision import faster_precision

LONGEST_WAIT = timedelta(days=1)  # of other processes for the one that prepares the data


def make_accelerator(config: TrainingConfig) -> Accelerator:
    """Accelerate's object for what the settings ask for; ``config.precision`` becomes the one that is used.

    Raises InputError for an unknown device.
    """
    if config.device not in ("auto", "cpu", "cuda", "mps"):
        raise InputError(f"There is no device '{config.device}'; use auto, cpu, cuda or mps.")
    device = pick_device(config.device)
    if device.type == "cpu":
        heap.keep_freed(heap.TO_TRAIN)
    if config.precision == "auto":
        config.precision = faster_precision(config, device)
    return Accelerator(
        cpu=config.device == "cpu",
        mixed_precision="bf16" if config.precision == "bf16" else "no",
        log_with=["tensorboard"] if "tensorboard" in config.trackers else None,
        project_dir=str(config.output),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)],
    )
