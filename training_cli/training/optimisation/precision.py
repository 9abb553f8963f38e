"""Whether a training is faster in bf16 or in fp32."""

from __future__ import annotations

import os
import time
from typing import Literal

import torch

from surgical_style_engine.backends import autotune
from surgical_style_engine.backends.devices import bf16_helps
from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.networks import build_generator, is_shallow
from training_cli.training.config import TrainingConfig

from .networks import generator_arguments, generator_name

SIDE = 128  # pixels of the image that is measured; a pass takes a second at most
REPEATS = 2
Precision = Literal["fp32", "bf16"]


def faster_precision(config: TrainingConfig, device: torch.device) -> Precision:
    """bf16 where the device multiplies it, or fp32; on the CPU by measuring the generator, forward and backward.

    Processors with AVX512-BF16 but without AMX may multiply bf16 no faster than fp32, in which convolutions need
    fewer multiplications (``networks.fast.winograd``). Several processes must agree, so that they do not measure.
    """
    if not bf16_helps(device):
        return "fp32"
    if device.type != "cpu" or not autotune.is_on() or int(os.environ.get("WORLD_SIZE", 1)) > 1:
        return "bf16"
    random = torch.get_rng_state()
    try:
        seconds = _measured(config)
    except (StyleTransferError, RuntimeError, MemoryError):
        return "bf16"  # the training itself will say what is wrong
    finally:
        torch.set_rng_state(random)
    return min(seconds, key=lambda precision: seconds[precision])


def _measured(config: TrainingConfig) -> dict[Precision, float]:
    """Seconds of a pass by precision."""
    name = generator_name(config)
    network = build_generator(name, in_channels=config.stack, **generator_arguments(config))
    # The speed of a shallow network on a small image tells that on a large one.
    side = min(SIDE, config.patch_size) if is_shallow(name) else config.patch_size
    image = torch.rand(1, config.stack, side, side) * 2 - 1
    seconds: dict[Precision, list[float]] = {"fp32": [], "bf16": []}
    for _ in range(REPEATS + 1):
        for precision, measured in seconds.items():
            measured.append(_pass(network, image, precision == "bf16"))
    return {precision: min(measured[1:]) for precision, measured in seconds.items()}


def _pass(network: torch.nn.Module, image: torch.Tensor, reduced: bool) -> float:
    """Seconds of an image (1, c, h, w) through the network and back."""
    begun = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
        result = network(image)
    result.float().abs().mean().backward()
    return time.perf_counter() - begun
