"""Fine-tuning: generators that start from the weights of a finished model instead of random ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import Direction, ModelCard
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.networks import GENERATORS, setting_names
from training_cli.training.config import TrainingConfig


def adopt_settings(config: TrainingConfig) -> None:
    """Take from the model of ``init`` what decides its networks' shape and input; nothing without ``init``.

    Settings that were asked for must agree. Raises InputError with one sentence where they do not.
    """
    if config.init is None:
        return
    card = load_model(config.init).card
    if card.architecture.name == "onnx":
        raise InputError(f"The model {card.name} is an ONNX model; training cannot start from it.")
    asked_for = set(config.model_fields_set)
    for name, value in _settings_of(card).items():
        if name in asked_for and getattr(config, name) not in (value, "auto"):
            raise _disagreement(card, name, value, getattr(config, name))
        setattr(config, name, value)
    for name, value in config.generator_settings.items():
        if value != card.architecture.arguments.get(name):
            raise _disagreement(card, name, card.architecture.arguments.get(name, "by default"), value)


def _disagreement(card: ModelCard, name: str, has: object, asked: object) -> InputError:
    return InputError(f"The model {card.name} has {name} {has}, but the settings ask for {asked}.")


def _settings_of(card: ModelCard) -> dict[str, Any]:
    """What a card says, by the names of the settings."""
    arguments = card.architecture.arguments
    settings: dict[str, Any] = {"generator": card.architecture.name, "stack": card.stack, "plane": card.plane}
    names = [name for name in setting_names(GENERATORS) if name in TrainingConfig.model_fields]
    settings |= {name: arguments[name] for name in names if name in arguments}
    if card.spacing_mm is not None:
        settings["spacing"] = card.spacing_mm
    if card.stack > 1:
        settings["stack_spacing"] = card.stack_spacing_mm
    windows = set()
    for side in ("source", "target"):
        normalization = getattr(card.domains, side).normalization
        settings[f"{side}_normalization"] = normalization.kind
        if normalization.kind == "hu_window":
            windows.add((normalization.lower, normalization.upper))
    if len(windows) == 1:
        settings["hu_lower"], settings["hu_upper"] = windows.pop()
    return settings


def load_initial_weights(name: str, generators: Mapping[Direction, torch.nn.Module]) -> dict[str, Any]:
    """Give generators the weights of a model; a direction that it lacks stays as it is.

    Args:
        name: of the model, or its folder.
        generators: by direction; changed in place.

    Returns:
        Name, sha256 of the weights and directions of the model, for the new model's card.

    Raises:
        InputError: where the images have other channels than the model, or it has none of the directions.
    """
    model = load_model(name)
    common = [direction for direction in generators if direction in model.card.directions]
    if not common:
        raise InputError(
            f"The model {model.card.name} has no direction that is trained here; it cannot be started from."
        )
    for direction in common:
        network, stored = generators[direction], model.generator(direction).state_dict()
        shapes = {key: value.shape for key, value in network.state_dict().items()}
        if {key: value.shape for key, value in stored.items()} != shapes:
            domain = model.card.domain_from(direction)
            what = "colour" if domain.channels == 3 else f"{domain.channels} channel{'s' * (domain.channels > 1)}"
            raise InputError(
                f"The model {model.card.name} ({what} in, stacks of {model.card.stack}) does not fit the channels of "
                "these images."
            )
        network.load_state_dict(stored)
    card = model.card
    sha256 = card.weights.sha256 if card.weights else ""
    return {"name": card.name, "sha256": sha256, "directions": list(card.directions)}
