"""Made-up batches and settings that tests of several training methods share."""

from __future__ import annotations

import contextlib
import copy

import torch

from training_cli.training.config import load_config
from training_cli.training.methods.base import Method
from training_cli.training.methods.build import build_method

SETTINGS = {
    "source": "a",
    "target": "b",
    "output": "r",
    "max_steps": 1,
    "ngf": 4,
    "n_blocks": 2,
    "ndf": 4,
    "n_layers": 2,
    "patch_size": 32,
    "learning_rate": 1e-3,
    "pairs": "p",
}


# Of the methods that learn from many folders.
TINY_CURVES = {
    "generator_settings": "features=8,bins=6,detail=4",
    "patch_size": 32,
    "ndf": 4,
    "n_layers": 2,
    "precision": "fp32",
    "device": "cpu",
    "trackers": ["csv"],
}


def make_method(name: str, channels_a: int = 1, channels_b: int = 1, **settings) -> Method:
    """A method with fresh weights, always the same, and settings that take no time."""
    torch.manual_seed(0)
    config = load_config(None, SETTINGS | {"method": name} | settings)
    return build_method(name, config, channels_a, channels_b, "cpu", contextlib.nullcontext)


def make_batch(channels_a: int = 1, channels_b: int = 1, count: int = 2, paired: bool = True) -> dict:
    """Noise in [-1, 1]; the lower third of each image counts for nothing in a comparison."""
    random = torch.Generator().manual_seed(3)
    shapes = {"a": channels_a, "b": channels_b}
    batch = {key: torch.rand(count, c, 32, 32, generator=random) * 2 - 1 for key, c in shapes.items()}
    batch |= {f"{key}_clean": batch[key] * 0.9 for key in shapes}
    weight = torch.ones(count, 1, 32, 32)
    weight[:, :, 22:] = 0
    return batch | {"weight": weight * paired, "paired": torch.tensor([paired] * count)}


def weights(method) -> dict[str, torch.Tensor]:
    """Copies of all trained weights, by name."""
    return {
        f"{name}.{key}": value.clone()
        for name, network in method.networks().items()
        for key, value in network.state_dict().items()
    }


def changed(method, before: dict[str, torch.Tensor]) -> set[str]:
    """Names of the networks some weight of which is not what it was."""
    now = weights(method)
    return {key.partition(".")[0] for key in now if not torch.equal(now[key], before[key])}


def weights_after(first: Method, second: Method, before: dict, after: dict) -> tuple[dict[str, torch.Tensor], ...]:
    """Weights of a method that goes on after a step, and of another one that takes over its checkpoint there.

    Args:
        first: makes a step on ``before``, then one on ``after``.
        second: the other one, of the same kind.
        before: a batch.
        after: another.
    """
    first.step(before, 0.2, 1e-3)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for method in (first, second):
        torch.manual_seed(4)
        method.step(after, 0.4, 1e-3)
    return weights(first), weights(second)
