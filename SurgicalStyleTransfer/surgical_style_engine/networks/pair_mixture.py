"""One generator for many domains, put together of generators for pairs: the mean of what each makes of its input."""

from __future__ import annotations

import torch
from torch import nn

from .bilateral import BilateralGenerator
from .pair_mixture_layout import PairMixtureLayout


class PairMixtureGenerator(nn.Module):
    """Generators of pairs of domains (``bilateral.BilateralGenerator``), mixed for any set of inputs.

    (n, in_channels, h, w) in [-1, 1] -> (n, 1, h, w) in [-1, 1]; any h and w. The input is a stack of slices, each of
    the given domains in their order; the middle slice is translated.

    Each input goes through the generator of its pair; the output is their weighted mean, with shares that depend on
    what is given and what is made alone (stacked generalisation: Wolpert, Neural Networks, 1992). So one input gives
    what the pair's own model gives, to the bit; shares add up to 1, and the bound of the pairs' generators
    (``largest_invention``) is that of the mixture.

    Args:
        domains: how many there are.
        given: which are given, a number whose bit d says so of domain d.
        target: number of the domain that is made, from 0.
        pairs: which pairs there are, a number whose bit ``source * domains + target`` says so.
        stack: slices of a domain.
        features: of the pairs' generators, as the following.
        bins: values of a curve.
        detail: channels of the branch at half resolution; 0 for none.

    Raises:
        InputError: for domains, pairs, routes or channels that it cannot have.
    """

    def __init__(
        self,
        domains: int = 4,
        given: int = 1,
        target: int = 1,
        pairs: int = 0b10,
        stack: int = 3,
        features: int = 24,
        bins: int = 12,
        detail: int = 16,
    ) -> None:
        layout = PairMixtureLayout(domains, given, target, pairs, stack, features, bins, detail)
        super().__init__()
        self.layout, self.multiple, self.in_channels, self.out_channels = layout, layout.multiple, layout.in_channels, 1
        self.pair = nn.ModuleDict()
        for _, start, end in layout.named_pairs():
            self.pair[f"{start}_{end}"] = BilateralGenerator(stack, 1, features, bins, layout.levels, detail)
        table = torch.zeros(2**domains, domains, domains)
        for number in layout.used:
            table[given, target, number] = 1 / len(layout.used)
        self.shares = nn.Parameter(table, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layout = self.layout
        slices = x.unflatten(1, (layout.stack, len(layout.sources)))
        mixed = None
        for number, share in layout.shares_of_route(self.shares.detach().float().cpu().numpy()).items():
            result = self.pair[f"{number}_{layout.target}"](slices[:, :, layout.sources.index(number)].contiguous())
            weighed = result if share == 1 else result * share
            mixed = weighed if mixed is None else mixed + weighed
        assert mixed is not None  # shares add up to 1
        return mixed

    def largest_invention(self, diameter: float) -> float:
        """Bound what the network can draw where there is nothing; see ``BilateralGenerator.largest_invention``."""
        network = self.pair[f"{self.layout.used[0]}_{self.layout.target}"]  # all have the same
        assert isinstance(network, BilateralGenerator)
        return network.largest_invention(diameter)
