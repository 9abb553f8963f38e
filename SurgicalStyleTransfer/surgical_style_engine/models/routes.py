"""Routes of a model for many domains, written as directions: "T1w+FLAIR>T2w" makes T2w of T1w and FLAIR."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from surgical_style_engine.errors import InputError

AND, TO = "+", ">"
DOMAIN_NAME = re.compile(r"[^+>\s][^+>]{0,39}")  # of a domain that a route can name


@dataclass(frozen=True)
class Route:
    """What is given and what is made.

    Attributes:
        given: Names of domains; the first one's volume gives the grid.
        target: Name of another one.
    """

    given: tuple[str, ...]
    target: str

    @property
    def direction(self) -> str:
        """The route in a word.

        >>> Route(("T1w", "FLAIR"), "T2w").direction
        'T1w+FLAIR>T2w'
        """
        return f"{AND.join(self.given)}{TO}{self.target}"

    @property
    def bits(self) -> str:
        """What is given, for a sentence: "T1w + FLAIR"."""
        return f" {AND} ".join(self.given)

    def in_order(self, domains: Sequence[str]) -> Route:
        """The route with the inputs behind the first in the order of the domains.

        >>> Route(("FLAIR", "T2w", "T1w"), "PD").in_order(["T1w", "T2w", "FLAIR"]).given
        ('FLAIR', 'T1w', 'T2w')
        """
        return Route((self.given[0], *sorted(self.given[1:], key=list(domains).index)), self.target)


def route_of(direction: str, domains: Sequence[str], model: str = "the model") -> Route:
    """The route that a direction names.

    Args:
        direction: As ``Route.direction`` writes it.
        domains: Names of the model's domains.
        model: Its name, for sentences.

    Raises:
        InputError: For what is no route between these domains.

    >>> route_of("T1w+FLAIR>T2w", ["T1w", "T2w", "FLAIR"]).given
    ('T1w', 'FLAIR')
    """
    start, arrow, target = direction.partition(TO)
    if not arrow:
        raise InputError(
            f"The model {model} has no direction '{direction}'; its routes are written as {domains[0]}{TO}{domains[1]}."
        )
    route = Route(tuple(start.split(AND)), target)
    for name in (*route.given, target):
        if name not in domains:
            raise InputError(f"The model {model} knows no domain '{name}'; it has {', '.join(domains)}.")
    if len(set(route.given)) != len(route.given):
        raise InputError(f"The route {direction} names an input twice.")
    if target in route.given:
        raise InputError(f"{target} is among the inputs already; the model {model} makes one of the others of them.")
    return route


def check_leads(route: Route, directions: Sequence[str], model: str) -> None:
    """Raise InputError unless a direction of a model leads from one of a route's inputs to its target.

    >>> check_leads(Route(("T1w", "PD"), "T2w"), ["T1w>T2w", "T2w>T1w"], "pairs")
    """
    if not any(Route((name,), route.target).direction in directions for name in route.given):
        routes = ", ".join(directions)
        raise InputError(f"The model {model} makes no {route.target} of {route.bits}; its routes are {routes}.")


def single_routes(domains: Sequence[str]) -> list[str]:
    """The directions from each domain to each other.

    >>> single_routes(["T1w", "T2w"])
    ['T1w>T2w', 'T2w>T1w']
    """
    return [Route((start,), end).direction for start in domains for end in domains if start != end]
