"""Networks in a closed registry: a model folder names one of these, and nothing else can be built."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from torch import nn

GENERATORS = {
    "resnet": "resnet:ResnetGenerator",
    "resnet_reference": "resnet_reference:ReferenceResnetGenerator",
    "unet_reference": "unet_reference:ReferenceUnetGenerator",
    "article": "article:ArticleGenerator",
}
DISCRIMINATORS = {
    "patchgan": "patchgan:PatchDiscriminator",
    "article": "article:ArticleDiscriminator",
}


def build_generator(name: str, **arguments: Any) -> nn.Module:
    """A generator by registry name. Raises InputError for unknown names and arguments."""
    return _build(GENERATORS, "generator", name, arguments)


def build_discriminator(name: str, **arguments: Any) -> nn.Module:
    """A discriminator by registry name. Raises InputError for unknown names and arguments."""
    return _build(DISCRIMINATORS, "discriminator", name, arguments)


def _build(registry: dict[str, str], what: str, name: str, arguments: dict[str, Any]) -> nn.Module:
    if name not in registry:
        raise InputError(f"There is no {what} '{name}'; there are {', '.join(sorted(registry))}.")
    module, _, attribute = registry[name].partition(":")
    builder = getattr(importlib.import_module(f".{module}", __name__), attribute)
    known = inspect.signature(builder).parameters
    for argument in arguments:
        if argument not in known:
            raise InputError(f"The {what} '{name}' takes no argument '{argument}'.")
    return builder(**arguments)
