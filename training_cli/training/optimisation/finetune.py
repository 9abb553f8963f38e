"""Fine-tuning: generators that start from the weights of a finished model instead of random ones."""

from __future__ import annotations

from typing import Any

import torch

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import ModelCard, StyleModel, find_model, load_model, read_card
from surgical_style_engine.networks import GENERATORS, generator_settings, setting_names
from training_cli.training.config import TrainingConfig


def adopt_settings(config: TrainingConfig) -> None:
    """Take from the model of ``init`` what decides its networks' shape and input; nothing without ``init``.

    Settings that were given must agree. Raises InputError with one sentence where they do not.
    """
    if config.init is None:
        return
    card = load_model(config.init).card
    if card.architecture.name == "onnx":
        raise InputError(f"The model {card.name} is an ONNX model; training cannot start from it.")
    given = set(config.model_fields_set)
    for name, value in _settings_of(card).items():
        if name in given and getattr(config, name) not in (value, "auto"):
            raise InputError(
                f"The model {card.name} has {name} {value}, but the settings ask for {getattr(config, name)}."
            )
        setattr(config, name, value)


def _settings_of(card: ModelCard) -> dict[str, Any]:
    """What a card says, by the names of the settings."""
    arguments = card.architecture.arguments
    found: dict[str, Any] = {"generator": card.architecture.name, "stack": card.stack, "plane": card.plane}
    found |= {name: arguments[name] for name in setting_names(GENERATORS) if name in arguments}
    if card.spacing_mm is not None:
        found["spacing"] = card.spacing_mm
    if card.stack > 1:
        found["stack_spacing"] = card.stack_spacing_mm
    windows = set()
    for side in ("source", "target"):
        normalization = getattr(card.domains, side).normalization
        found[f"{side}_normalization"] = normalization.kind
        if normalization.kind == "hu_window":
            windows.add((normalization.lower, normalization.upper))
    if len(windows) == 1:
        found["hu_lower"], found["hu_upper"] = windows.pop()
    return found


def generator_arguments(config: TrainingConfig) -> dict[str, Any]:
    """Arguments of a generator without its channels: from the settings, or as the model of ``init`` has them."""
    if config.init is not None:
        arguments = read_card(find_model(config.init)).architecture.arguments
        return {key: value for key, value in arguments.items() if key not in ("in_channels", "out_channels")}
    return generator_settings(config.generator, config)


def start_from(config: TrainingConfig, generators: dict[str, torch.nn.Module]) -> None:
    """Give the generators, by direction, the weights of the model of ``init``; a direction it lacks stays as it is.

    Raises InputError where the images have other channels than the model.
    """
    if config.init is None:
        return
    model: StyleModel = load_model(config.init)
    for direction, network in generators.items():
        if direction not in model.card.directions:
            continue
        stored = model.generator(direction).state_dict()
        own = network.state_dict()
        if any(stored[key].shape != value.shape for key, value in own.items()):
            origin = model.card.domain_from(direction)
            what = f"{origin.channels} channel{'s' * (origin.channels > 1)}" if origin.channels != 3 else "colour"
            raise InputError(
                f"The model {model.card.name} ({what} in, stacks of {model.card.stack}) does not fit the channels of "
                "these images."
            )
        network.load_state_dict(stored)


def origin_of(config: TrainingConfig) -> dict[str, Any] | None:
    """Name, sha256 of the weights and directions of the model of ``init``, for the new model's card; or None."""
    if config.init is None:
        return None
    card = read_card(find_model(config.init))
    return {"name": card.name, "sha256": card.weights.sha256, "directions": list(card.directions)}
