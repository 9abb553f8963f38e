"""Networks in a closed registry: a model folder names one of these, and nothing else can be built.

The registry names classes without importing them, so that reading model cards does not load torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, get_origin, get_type_hints

from surgical_style_engine.errors import InputError

if TYPE_CHECKING:
    from torch import nn

LARGEST_NUMBER = 1024  # of channels, blocks or layers; arguments come from model cards that anybody may have written
LARGEST_SET = 1 << 100  # of numbers whose bits say what there is
SETS = ("pairs",)
MAY_BE_ZERO = ("n_blocks", "levels", "detail", "residual_percent", "dropout_percent", "target")
_HERE = "surgical_style_engine.networks"


class Layout(Protocol):
    """A generator's weights, known without torch; made from the generator's arguments."""

    @property
    def in_channels(self) -> int:
        """Channels that the network takes."""

    @property
    def out_channels(self) -> int:
        """Channels that it gives."""

    def shapes(self) -> dict[str, list[int]]:
        """The shape of every weight, by its name in the state dictionary."""


@dataclass(frozen=True)
class Network:
    """An entry of the registry.

    Attributes:
        builder: "module:class" of the network, a ``torch.nn.Module`` whose constructor takes annotated integers,
            booleans and literals, among them in_channels (and out_channels of a generator).
        settings: which keys of a training's configuration are arguments of the constructor under the same names.
    """

    builder: str
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Generator(Network):
    """The entry of a generator.

    It takes (n, in_channels, h, w) and gives (n, out_channels, h, w), both in [-1, 1], for h and w that are multiples
    of 4 and at least 16.

    Attributes:
        layout: "module:class" of its ``Layout``, a dataclass of the constructor's arguments, where weights can be
            checked without torch; ``backends.openvino.writers`` then writes the network down without torch, too.
        is_shallow: whether its speed on a small image tells its speed on a larger one.
    """

    layout: str = ""
    is_shallow: bool = False


GENERATORS: dict[str, Generator] = {
    "resnet": Generator(
        f"{_HERE}.resnet:ResnetGenerator",
        ("ngf", "n_blocks"),
        layout=f"{_HERE}.resnet_layout:ResnetLayout",
        is_shallow=True,
    ),
    "bilateral": Generator(f"{_HERE}.bilateral:BilateralGenerator", layout=f"{_HERE}.bilateral_layout:BilateralLayout"),
    "domain_grid": Generator(
        f"{_HERE}.domain_grid:DomainGridGenerator", layout=f"{_HERE}.domain_grid_layout:DomainGridLayout"
    ),
    "pair_mixture": Generator(
        f"{_HERE}.pair_mixture:PairMixtureGenerator", layout=f"{_HERE}.pair_mixture_layout:PairMixtureLayout"
    ),
    "resnet_reference": Generator(
        f"{_HERE}.reference.resnet:ReferenceResnetGenerator", ("ngf", "n_blocks"), is_shallow=True
    ),
    "unet_reference": Generator(f"{_HERE}.reference.unet:ReferenceUnetGenerator", ("ngf",)),
    "article": Generator(f"{_HERE}.article:ArticleGenerator", ("ngf",)),
}
DISCRIMINATORS: dict[str, Network] = {
    "patchgan": Network(f"{_HERE}.patchgan:PatchDiscriminator", ("ndf", "n_layers", "spectral_norm")),
    "patchgan_classes": Network(
        f"{_HERE}.patchgan:ClassifyingPatchDiscriminator", ("ndf", "n_layers", "spectral_norm")
    ),
    "article": Network(f"{_HERE}.article:ArticleDiscriminator", ("ndf",)),
}


def build_generator(name: str, **arguments: Any) -> nn.Module:
    """A generator with fresh weights.

    Args:
        name: of the registry.
        **arguments: of its constructor.

    Raises:
        InputError: for unknown names, arguments and values.

    >>> network = build_generator("resnet", ngf=8, n_blocks=1)
    >>> network.training
    True
    """
    return _build(GENERATORS, "generator", name, arguments)


def build_discriminator(name: str, **arguments: Any) -> nn.Module:
    """A discriminator with fresh weights. Arguments and errors as of ``build_generator``."""
    return _build(DISCRIMINATORS, "discriminator", name, arguments)


def generator_settings(name: str, config: Any) -> dict[str, Any]:
    """The arguments of a generator, but for its channels, that a configuration sets.

    Args:
        name: of the registry.
        config: anything with the settings as attributes.

    Raises:
        InputError: for an unknown name.
    """
    return _settings(_entry(GENERATORS, "generator", name), config)


def discriminator_settings(name: str, config: Any) -> dict[str, Any]:
    """As ``generator_settings``, of a discriminator."""
    return _settings(_entry(DISCRIMINATORS, "discriminator", name), config)


def setting_names(registry: dict[str, Generator] | dict[str, Network]) -> list[str]:
    """The keys of a configuration that any network of a registry takes.

    >>> setting_names(GENERATORS)
    ['ngf', 'n_blocks']
    """
    entries: Iterable[Network] = registry.values()
    return list(dict.fromkeys(name for entry in entries for name in entry.settings))


def is_shallow(name: str) -> bool:
    """Whether a generator's speed on a small image tells its speed on a larger one. Raises InputError."""
    return _entry(GENERATORS, "generator", name).is_shallow


def known_layout(name: str, **arguments: Any) -> Layout | None:
    """The layout of a generator that is known without torch; None for others. Raises as ``build_generator`` does."""
    entry = GENERATORS.get(name)
    if entry is None or not entry.layout:
        return None
    builder = _imported(entry.layout)
    _check("generator", name, get_type_hints(builder.__init__), arguments)
    return builder(**arguments)


def _entry(registry: dict[str, Any], what: str, name: str) -> Any:
    if name not in registry:
        raise InputError(f"There is no {what} '{name}'; there are {', '.join(sorted(registry))}.")
    return registry[name]


def _settings(entry: Network, config: Any) -> dict[str, Any]:
    return {name: getattr(config, name) for name in entry.settings}


def _build(registry: dict[str, Any], what: str, name: str, arguments: dict[str, Any]) -> nn.Module:
    builder = _imported(_entry(registry, what, name).builder)
    _check(what, name, get_type_hints(builder.__init__), arguments)
    return builder(**arguments)


def _imported(place: str) -> Any:
    """What stands at "module:attribute"."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _check(what: str, name: str, known: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Raise InputError for arguments that a network does not know, or values that it cannot have."""
    for argument, value in arguments.items():
        if argument not in known or argument == "return":
            raise InputError(f"The {what} '{name}' takes no argument '{argument}'.")
        least, most = int(argument not in MAY_BE_ZERO), LARGEST_SET if argument in SETS else LARGEST_NUMBER
        if not _fits(value, known[argument], least, most):
            raise InputError(f"The {what} '{name}' cannot have {argument} = {value!r}.")


def _fits(value: Any, kind: Any, least: int, most: int) -> bool:
    """Whether an argument has the annotated type (int, bool or Literal) and a value that makes sense."""
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    if kind is int:
        return type(value) is int and least <= value <= most
    return isinstance(value, kind)
