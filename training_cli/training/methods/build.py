"""From a method's name to its networks and optimisers."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from training_cli.training.config import TrainingConfig
from training_cli.training.config.method_registry import method_entry

from .base import Method


def method_class(name: str) -> type[Method]:
    """The class of a method, imported if need be. Raises InputError for an unknown name."""
    implementation = method_entry(name).implementation
    if isinstance(implementation, str):
        module, _, attribute = implementation.partition(":")
        implementation = getattr(importlib.import_module(module), attribute)
    if not (isinstance(implementation, type) and issubclass(implementation, Method)):
        raise TypeError(f"The training method '{name}' is no subclass of Method.")
    return implementation


def build_method(
    name: str,
    config: TrainingConfig,
    channels_a: int,
    channels_b: int,
    device: torch.device | str,
    autocast: Callable[[], AbstractContextManager],
) -> Method:
    """The networks and optimisers of a method, ready for its first step.

    Args:
        name: as in the registry.
        config: of the training.
        channels_a: of a source image, without neighbouring slices: 1 grey, 3 colour, or one an input modality.
        channels_b: of a target image.
        device: where the networks are to be.
        autocast: gives the context in which networks run.

    Raises:
        InputError: for an unknown name, and for settings, images or a model of ``init`` that do not fit.
    """
    return method_class(name)(config, channels_a, channels_b, device, autocast)
