"""How much of what a machine can multiply a network gets out of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_RUNS = 8


def arithmetic(network: nn.Module, images: torch.Tensor) -> float:
    """GFLOP of a network on images: its convolutions as they are written down, two operations a multiplication."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(images)
    return counter.get_total_flops() / 1e9


@cache
def peak(device: str, precision: str) -> float:
    """GFLOP/s: the best of a large matrix product and a large convolution in torch, measured once a process."""
    kind, place = _TYPES[precision], torch.device(device)
    side = 2048 if place.type == "cpu" else 8192
    channels, pixels = (128, 64) if place.type == "cpu" else (512, 256)
    a = torch.rand(side, side, device=place).to(kind)
    convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(place, kind)
    convolution = convolution.to(memory_format=torch.channels_last)
    images = torch.rand(1, channels, pixels, pixels, device=place).to(kind).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        product = 2 * side**3 / _seconds(lambda: a @ a, place)
        convolved = 2 * 9 * channels**2 * pixels**2 / _seconds(lambda: convolution(images), place)
    return max(product, convolved) / 1e9


def _seconds(run: Callable[[], object], place: torch.device) -> float:
    """Seconds of a call: the least of some, the first left out."""
    times = []
    for _ in range(_RUNS):
        begun = time.perf_counter()
        run()
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        times.append(time.perf_counter() - begun)
    return min(times[1:])
