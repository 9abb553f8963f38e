"""Networks in a closed registry: a model folder names one of these, and nothing else can be built.

The registry names classes without importing them, so that reading model cards does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from ..errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from .resnet_layout import ResnetLayout

LARGEST_NUMBER = 1024  # of channels, blocks or layers; arguments come from model cards that anybody may have written
_MAY_BE_ZERO = ("n_blocks", "levels", "detail", "residual_percent", "dropout_percent")

GENERATORS = {
    "resnet": "resnet:ResnetGenerator",
    "resnet_reference": "resnet_reference:ReferenceResnetGenerator",
    "unet_reference": "unet_reference:ReferenceUnetGenerator",
    "article": "article:ArticleGenerator",
    "bilateral": "bilateral:BilateralGenerator",
}
DISCRIMINATORS = {
    "patchgan": "patchgan:PatchDiscriminator",
    "article": "article:ArticleDiscriminator",
}


def build_generator(name: str, **arguments: Any) -> nn.Module:
    """A generator by registry name, with fresh weights. Raises InputError for unknown names, arguments and values."""
    return _build(GENERATORS, "generator", name, arguments)


def build_discriminator(name: str, **arguments: Any) -> nn.Module:
    """A discriminator by registry name, with fresh weights. Raises InputError as ``build_generator`` does."""
    return _build(DISCRIMINATORS, "discriminator", name, arguments)


def known_layout(name: str, **arguments: Any) -> ResnetLayout | None:
    """The layout of a generator that is known without torch; None for others. Raises as ``build_generator`` does."""
    if name != "resnet":
        return None
    from .resnet_layout import ResnetLayout

    _check("generator", name, get_type_hints(ResnetLayout.__init__), arguments)
    return ResnetLayout(**arguments)


def _build(registry: dict[str, str], what: str, name: str, arguments: dict[str, Any]) -> nn.Module:
    if name not in registry:
        raise InputError(f"There is no {what} '{name}'; there are {', '.join(sorted(registry))}.")
    module, _, attribute = registry[name].partition(":")
    builder = getattr(importlib.import_module(f".{module}", __name__), attribute)
    _check(what, name, get_type_hints(builder.__init__), arguments)
    return builder(**arguments)


def _check(what: str, name: str, known: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Raise InputError for arguments that a network does not know, or values that it cannot have."""
    for argument, value in arguments.items():
        if argument not in known or argument == "return":
            raise InputError(f"The {what} '{name}' takes no argument '{argument}'.")
        if not _fits(value, known[argument], least=0 if argument in _MAY_BE_ZERO else 1):
            raise InputError(f"The {what} '{name}' cannot have {argument} = {value!r}.")


def _fits(value: Any, kind: Any, least: int) -> bool:
    """Whether an argument has the annotated type (int, bool or Literal) and a value that makes sense."""
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    if kind is int:
        return type(value) is int and least <= value <= LARGEST_NUMBER
    return isinstance(value, kind)
