"""Networks as the configuration describes them, and how they are run in training."""

from __future__ import annotations

import copy
from typing import Any, Literal

import torch

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.names import find_model
from surgical_style_engine.networks import build_discriminator, discriminator_settings, generator_settings, known_layout
from training_cli.training.config import TrainingConfig


def generator_arguments(config: TrainingConfig) -> dict[str, Any]:
    """Arguments of a generator without its channels: from the settings, or as the model of ``init`` has them."""
    if config.init is not None:
        arguments = read_card(find_model(config.init)).architecture.arguments
        return {key: value for key, value in arguments.items() if key not in ("in_channels", "out_channels")}
    return {**generator_settings(config.generator, config), **config.generator_settings}


def generator_name(config: TrainingConfig) -> str:
    """Registry name of the generator: from the settings, or that of the model of ``init``."""
    return config.generator if config.init is None else read_card(find_model(config.init)).architecture.name


def gives_middle_slice(config: TrainingConfig) -> bool:
    """Whether the model of ``init`` gives the middle slice of a stack alone, as the shipped ones do."""
    if config.init is None or config.stack == 1:
        return False
    card = read_card(find_model(config.init))
    layout = known_layout(card.architecture.name, **card.architecture.arguments)
    return layout is not None and layout.out_channels < layout.in_channels


def middle_like(images: torch.Tensor, translation: torch.Tensor) -> torch.Tensor:
    """Of stacks (n, stack*c, h, w) what a translation (n, c or stack*c, h, w) is of: their middle slice, or all.

    >>> middle_like(torch.arange(3.0).view(1, 3, 1, 1), torch.zeros(1, 1, 1, 1)).item()
    1.0
    """
    channels = translation.shape[1]
    first = (images.shape[1] - channels) // 2
    return images[:, first : first + channels]


def make_discriminator(config: TrainingConfig, channels: int, device: torch.device | str) -> torch.nn.Module:
    """The discriminator that the settings describe, for images of so many channels."""
    settings = discriminator_settings(config.discriminator, config)
    return build_discriminator(config.discriminator, in_channels=channels, **settings).to(device)


def run_together(network: torch.nn.Module, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Run a network on two batches (n, c, h, w), in one pass where images do not influence each other.

    Returns what it gives for the first and for the second.
    """
    if any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules()):
        return network(first), network(second)
    return network(torch.cat([first, second])).chunk(2)


def check_patch_size(
    network: torch.nn.Module, channels: int, size: int, kind: Literal["generator", "discriminator"]
) -> None:
    """Raise InputError where a square patch of ``size`` pixels does not fit a network: a dry run without arithmetic."""
    try:
        shape = copy.deepcopy(network).to("meta")(torch.empty(1, channels, size, size, device="meta")).shape
    except (RuntimeError, ValueError):
        shape = torch.Size((1, 0, 0, 0))
    if min(shape[1:]) == 0 or (kind == "generator" and shape[-2:] != (size, size)):
        raise InputError(f"Patches of {size} pixels do not fit the {kind}; change patch_size or the network.")
