"""Model folders that are spoilt on purpose, and the one sentence with which they are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.weights import sha256_of
from surgical_style_engine.networks import known_layout

# What version 0.1.0 shipped: a trained ResNet, which users may still have.
FIRST_SHIPPED = Path(__file__).resolve().parent / "compatibility" / "v0_1_0" / "shipped" / "brain-mr-t1w-t2w"


def change(folder: Path, **values) -> Path:
    """Other values in the card; ``a__b`` for the value b of a."""
    path = folder / "model.json"
    card = json.loads(path.read_text())
    for name, value in values.items():
        *parents, last = name.split("__")
        table = card
        for parent in parents:
            table = table[parent]
        table[last] = value
    path.write_text(json.dumps(card))
    return folder


def put_weights(folder: Path, content: bytes) -> Path:
    """Other weights, with their right digest in the card."""
    path = folder / "weights.safetensors"
    path.write_bytes(content)
    return change(folder, weights__sha256=sha256_of(path), weights__bytes=len(content))


def put_tensors(folder: Path, tensors: dict[str, torch.Tensor]) -> Path:
    """The same of tensors by name."""
    save_file(tensors, folder / "weights.safetensors")
    return put_weights(folder, (folder / "weights.safetensors").read_bytes())


def refusal(call: Callable, *arguments, **named) -> str:
    """The one sentence with which it is refused as bad input."""
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    assert caught.value.exit_code == 2
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".") and not sentence.endswith("..")
    return sentence


def refused_model(model: StyleModel, *direction: str) -> str:
    """The one sentence with which a model's network is refused, by torch and without it."""
    sentence = refusal(model.generator, *direction)
    if known_layout(model.card.architecture.name) is not None:
        assert refusal(model.weights, *direction) == sentence
    else:
        assert model.weights(*direction) is None
    if not direction:
        assert refusal(model.check_weights) == sentence
    return sentence


def leftovers(folder: Path) -> list[str]:
    """The names of everything in a folder, hidden files as well."""
    return sorted(path.name for path in folder.iterdir())
