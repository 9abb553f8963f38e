"""A generator for many domains that is put together of those for pairs, without torch: its numbers and its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from surgical_style_engine.errors import InputError

from .bilateral_layout import BilateralLayout, SizeOfU
from .domain_grid_layout import LEAST_DOMAINS, MOST_DOMAINS

SHARES = "shares"  # the table's name among the weights
SUM_WITHIN = 0.02  # how far the shares of a route may be from adding up to 1: bf16 rounds them


@dataclass(frozen=True)
class PairMixtureLayout(SizeOfU):
    """Arguments of ``pair_mixture.PairMixtureGenerator``, and the names of its weights.

    The weights are the same for every route; ``given`` and ``target`` say which route this network takes.

    Raises:
        InputError: for domains, pairs, routes or channels that it cannot have.
    """

    domains: int = 4
    given: int = 1
    target: int = 1
    pairs: int = 0b10
    stack: int = 3
    features: int = 24
    bins: int = 12
    detail: int = 16

    levels = BilateralLayout.levels
    out_channels = 1

    def __post_init__(self) -> None:
        if not LEAST_DOMAINS <= self.domains <= MOST_DOMAINS or self.stack % 2 == 0:
            raise InputError(
                f"A mixture of pairs takes {LEAST_DOMAINS} to {MOST_DOMAINS} domains and an odd stack; not "
                f"{self.domains} and {self.stack}."
            )
        own_way = any(self.pairs >> self.bit(number, number) & 1 for number in range(self.domains))
        if not 0 < self.pairs < 1 << self.domains**2 or own_way:
            raise InputError(f"A mixture for {self.domains} domains cannot have the pairs {self.pairs:b}.")
        if not 0 < self.given < 2**self.domains or not 0 <= self.target < self.domains or not self.used:
            raise InputError(f"The mixture has no pair for the route {self.given} to {self.target}.")
        _ = self.pair

    def bit(self, source: int, target: int) -> int:
        """Which bit of ``pairs`` says whether there is a pair.

        >>> PairMixtureLayout(domains=4).bit(0, 1)
        1
        """
        return source * self.domains + target

    @property
    def sources(self) -> tuple[int, ...]:
        """Numbers of the domains that are given, rising: the order of a slice's channels."""
        return tuple(number for number in range(self.domains) if self.given >> number & 1)

    @property
    def used(self) -> tuple[int, ...]:
        """Those of them that a pair leads from to the target."""
        return tuple(number for number in self.sources if self.pairs >> self.bit(number, self.target) & 1)

    @property
    def in_channels(self) -> int:
        """Slices of all given domains."""
        return self.stack * len(self.sources)

    @property
    def pair(self) -> BilateralLayout:
        """The generator of a pair; all have the same size. Raises InputError for channels that it cannot have."""
        return BilateralLayout(self.stack, 1, self.features, self.bins, self.levels, self.detail)

    def named_pairs(self) -> Iterator[tuple[str, int, int]]:
        """Every pair: what the names of its weights begin with, and the numbers of its domains."""
        for source in range(self.domains):
            for target in range(self.domains):
                if self.pairs >> self.bit(source, target) & 1:
                    yield self.name_of(source, target), source, target

    @staticmethod
    def name_of(source: int, target: int) -> str:
        """What the names of a pair's weights begin with."""
        return f"pair.{source}_{target}"

    def shapes(self) -> dict[str, list[int]]:
        """Of every weight, by name."""
        shapes_by_name = {SHARES: [2**self.domains, self.domains, self.domains]}
        for name, _, _ in self.named_pairs():
            shapes_by_name |= {f"{name}.{key}": shape for key, shape in self.pair.shapes().items()}
        return shapes_by_name

    def shares_of_route(self, table: np.ndarray) -> dict[int, float]:
        """How much each input counts on this route.

        Args:
            table: (2 ** domains, domains, domains), by what is given as a number of bits, what is made, and the input.

        Returns:
            Shares above 0 that add up to 1, by the numbers of their domains.

        Raises:
            InputError: where the table's shares of this route are none.
        """
        row = np.asarray(table, np.float64)[self.given, self.target]
        elsewhere = [number for number in range(self.domains) if number not in self.used]
        if not np.isfinite(row).all() or row.min() < 0 or row[elsewhere].any() or abs(row.sum() - 1) > SUM_WITHIN:
            raise InputError(f"The shares of the route {self.given} to {self.target} do not add up to 1.")
        return {number: float(row[number] / row.sum()) for number in self.used if row[number] > 0}

    def of_pair(self, weights: dict[str, np.ndarray], source: int) -> dict[str, np.ndarray]:
        """The weights of the pair from a domain to the target, by the names of ``pair``'s shapes."""
        start = self.name_of(source, self.target) + "."
        return {name[len(start) :]: value for name, value in weights.items() if name.startswith(start)}
