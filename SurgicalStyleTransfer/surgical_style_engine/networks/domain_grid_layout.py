"""The generator of tone curves for many domains without torch: its numbers, its weights, and a route's own network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from surgical_style_engine.errors import InputError

from .bilateral_layout import CELL, GROUPS

LEAST_DOMAINS, MOST_DOMAINS = 2, 10  # which domains are given is a number of as many bits
RESIDUAL = 0.2  # most that the branch at half resolution adds, normalised
GUIDE = 12  # channels of the pointwise network that moves the places on the curves
CONDITION = 32  # channels between a route and what it changes


@dataclass(frozen=True)
class DomainGridLayout:
    """Arguments of ``domain_grid.DomainGridGenerator``, and the names of its weights.

    The weights are the same for every route; ``given`` and ``target`` say which route this network takes.

    Raises:
        InputError: for domains, routes or features that it cannot have.
    """

    domains: int = 4
    given: int = 1
    target: int = 1
    stack: int = 3
    features: int = 32
    bins: int = 12
    levels: int = 2
    detail: int = 16

    stem = (("stem.0", 2), ("stem.1", 2), ("stem.2", 1))  # names of convolutions with their norms, and strides
    out_channels = 1

    def __post_init__(self) -> None:
        if not LEAST_DOMAINS <= self.domains <= MOST_DOMAINS or self.features % GROUPS or self.stack % 2 == 0:
            raise InputError(
                f"The generator for many domains takes {LEAST_DOMAINS} to {MOST_DOMAINS} domains, an odd stack, and "
                f"features a multiple of {GROUPS}; not {self.domains}, {self.stack} and {self.features}."
            )
        if not 0 < self.given < 2**self.domains or not 0 <= self.target < self.domains:
            raise InputError(f"The generator for {self.domains} domains has no route {self.given} to {self.target}.")

    @property
    def sources(self) -> tuple[int, ...]:
        """Numbers of the domains that are given, rising: the order of a slice's channels."""
        return tuple(number for number in range(self.domains) if self.given >> number & 1)

    @property
    def in_channels(self) -> int:
        """Slices of all given domains."""
        return len(self.sources) * self.stack

    @property
    def wide(self) -> int:
        """Channels of the U."""
        return 2 * self.features

    @property
    def multiple(self) -> int:
        """Pixels a side that images are padded to a multiple of."""
        return CELL * int(2**self.levels)

    @property
    def residual(self) -> float:
        """Most that the branch at half resolution adds, normalised; 0 without it."""
        return RESIDUAL if self.detail else 0.0

    def level(self, depth: int) -> str:
        """The name of the U's part that lies so many halvings below the cells."""
        return "context" + depth * ".below"

    def normed(self) -> Iterator[tuple[str, int, int]]:
        """Convolutions of 3 x 3 with their norms: names, channels in and out, in the order of their modulation."""
        wide = self.wide
        sizes = (self.domains * self.stack, self.features), (self.features, wide), (wide, wide)
        for (name, _), (inner, outer) in zip(self.stem, sizes, strict=True):
            yield name, inner, outer
        for depth in range(self.levels + 1):
            name = self.level(depth)
            for part in ("before", "after"):
                yield f"{name}.{part}.first", wide, wide
                yield f"{name}.{part}.second", wide, wide
            if depth < self.levels:
                yield f"{name}.down", wide, wide

    def modulated(self) -> dict[str, slice]:
        """Where the gains of each norm, and of the guide, stand among those of a route."""
        places, start = {}, 0
        for name, size in [*((name, outer) for name, _, outer in self.normed()), ("guide", GUIDE)]:
            places[name] = slice(start, start + size)
            start += size
        return places

    def shapes(self) -> dict[str, list[int]]:
        """Of every weight, by name."""
        shapes_by_name: dict[str, list[int]] = {}
        for name, inner, outer in self.normed():
            shapes_by_name[f"{name}.convolution.weight"] = [outer, inner, 3, 3]
            shapes_by_name[f"{name}.norm.weight"] = shapes_by_name[f"{name}.norm.bias"] = [outer]
        count, slices = sum(part.stop - part.start for part in self.modulated().values()), self.domains * self.stack
        plain = {
            "film.0": [CONDITION, 2 * self.domains],
            "film.2": [2 * count, CONDITION],
            "head": [self.domains * (self.bins + 1), self.wide, 1, 1],
            "guide_first": [GUIDE, slices, 1, 1],
            "guide_last": [self.domains, GUIDE, 1, 1],
        }
        if self.detail:
            plain["detail.first"] = [self.detail, slices, 3, 3]
            plain["detail.context"] = [self.detail, self.wide, 1, 1]
            plain["detail.inner"] = [self.detail, self.detail, 3, 3]
            plain["detail.last"] = [1, self.detail, 1, 1]
        for name, shape in plain.items():
            shapes_by_name[f"{name}.weight"], shapes_by_name[f"{name}.bias"] = shape, [shape[0]]
        shapes_by_name["head.bias"] = [self.domains, self.domains * (self.bins + 1)]  # one for each target
        return shapes_by_name

    def of_route(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The weights of a network that takes this route alone.

        Args:
            weights: by the names of ``shapes``.

        Returns:
            The same names without ``film``: convolutions of slices see the given domains' alone, in the order of the
            network's input; the norms' weights, and ``guide.gain`` and ``guide.shift``, are modulated; the head has the
            curves and then the shares of the given domains.
        """
        result = {name: value for name, value in weights.items() if not name.startswith("film.")}
        # A slice's channels stay together in the input; the weights have a domain's slices together.
        order = [number * self.stack + place for place in range(self.stack) for number in self.sources]
        for name in ("stem.0.convolution.weight", "guide_first.weight", "detail.first.weight"):
            if name in result:
                result[name] = result[name][:, order]
        blind, seeing = self._modulation(weights, aimed=False), self._modulation(weights, aimed=True)
        for name, part in self.modulated().items():
            gain, shift = (blind if name.startswith("stem.") else seeing)[:, part]
            if name == "guide":
                result["guide.gain"], result["guide.shift"] = 1 + gain, shift
            else:
                result[f"{name}.norm.weight"] = weights[f"{name}.norm.weight"] * (1 + gain)
                result[f"{name}.norm.bias"] = weights[f"{name}.norm.bias"] * (1 + gain) + shift
        rows = [number * self.bins + value for number in self.sources for value in range(self.bins)]
        rows += [self.domains * self.bins + number for number in self.sources]
        result["head.weight"] = weights["head.weight"][rows]
        result["head.bias"] = weights["head.bias"][self.target][rows]
        for name in ("guide_last.weight", "guide_last.bias"):
            result[name] = weights[name][list(self.sources)]
        return result

    def _modulation(self, weights: dict[str, np.ndarray], aimed: bool) -> np.ndarray:
        """(2, channels): what is added to the gains, and to what comes out; ``aimed`` where the target is known."""
        condition = np.zeros(2 * self.domains, np.float32)
        condition[list(self.sources)] = 1
        if aimed:
            condition[self.domains + self.target] = 1
        hidden = np.maximum(weights["film.0.weight"] @ condition + weights["film.0.bias"], 0)
        return (weights["film.2.weight"] @ hidden + weights["film.2.bias"]).reshape(2, -1)
