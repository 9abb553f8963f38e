"""One model for many domains out of models for pairs: their networks as they are, and how much each counts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import known_layout
from surgical_style_engine.networks.bilateral_layout import BilateralLayout
from surgical_style_engine.networks.pair_mixture_layout import SHARES, PairMixtureLayout
from surgical_style_engine.volumes.slices import middle

from .calibration import Calibration, read_calibration
from .card import MANY_VERSION, Direction, Domain, ModelCard, refused_as_input
from .folder import StyleModel, save_model
from .routes import Route

if TYPE_CHECKING:
    import torch

# Of a pair's generator: what all pairs must share, and what the mixture has at its default alone.
SIZE, FIXED = ("features", "bins", "detail"), ("levels", "residual_percent", "dropout_percent")
PAIR, MIXTURE = "bilateral", "pair_mixture"  # names of generators
Shares = dict[tuple[frozenset[str], str], dict[str, float]]  # by what is given and what is made: of each input


class JoinedPairs:
    """Models for pairs of domains that are to be one.

    Attributes:
        models: The models, in the order given.
        domains: Every domain by its name, in the order of the models.
        ways: The model and its direction, by the names of the domains where it starts and ends.

    Raises:
        InputError: For models that do not go together: other networks than those of local tone curves, of different
            sizes, planes or spacings; a domain that is normalised in two ways; two models of one direction.
    """

    def __init__(self, models: Sequence[StyleModel]) -> None:
        if len(models) < 2:
            raise InputError("Two models for pairs are the least that can be joined.")
        self.models = list(models)
        self.domains: dict[str, Domain] = {}
        self.ways: dict[tuple[str, str], tuple[StyleModel, Direction]] = {}
        for model in models:
            self._check(model)
            for direction in model.card.directions:
                start, end = model.card.domain_from(direction), model.card.domain_to(direction)
                self._take(model, start)
                self._take(model, end)
                if (start.name, end.name) in self.ways:
                    other = self.ways[start.name, end.name][0].card.name
                    raise InputError(f"{other} and {model.card.name} both make {end.name} of {start.name}.")
                self.ways[start.name, end.name] = model, direction

    def _check(self, model: StyleModel) -> None:
        card, first = model.card, self.models[0].card
        if card.is_many or card.architecture.name != PAIR:
            raise InputError(f"{card.name} cannot be joined: it is no model for a pair with the generator {PAIR}.")
        sizes = [_layout(self.models[0], first.directions[0]), *(_layout(model, way) for way in card.directions)]
        if len({tuple(getattr(size, name) for name in SIZE) for size in sizes}) > 1:
            raise InputError(f"The networks of {first.name} and {card.name} are not of one size.")
        for size in sizes:
            if any(getattr(size, name) != getattr(BilateralLayout, name) for name in FIXED):
                raise InputError(f"{card.name} cannot be joined: its networks have other {' or '.join(FIXED)}.")
        for name in ("plane", "stack", "stack_spacing_mm", "spacing_mm"):
            if getattr(card, name) != getattr(first, name):
                raise InputError(f"{first.name} and {card.name} were not trained for one {name}.")
        if any(domain.channels != 1 for domain in (card.domains.source, card.domains.target)):
            raise InputError(f"{card.name} cannot be joined: it is no model of grey images.")

    def _take(self, model: StyleModel, domain: Domain) -> None:
        known = self.domains.setdefault(domain.name, domain)
        if (known.normalization, known.modality, known.units) != (domain.normalization, domain.modality, domain.units):
            raise InputError(f"{model.card.name} takes {domain.name} otherwise than the models before it.")

    def sets(self, target: str) -> list[tuple[str, ...]]:
        """Every set of inputs that something leads from to a target, the smallest first."""
        starts = [name for name in self.domains if (name, target) in self.ways]
        others = [name for name in self.domains if name != target]
        every = [given for count in range(1, len(others) + 1) for given in combinations(others, count)]
        return [given for given in every if set(given) & set(starts)]

    def equal_shares(self) -> Shares:
        """Each input that a model leads from counts as much as the others."""
        shares: Shares = {}
        for target in self.domains:
            for given in self.sets(target):
                leading = [name for name in given if (name, target) in self.ways]
                shares[frozenset(given), target] = dict.fromkeys(leading, 1 / len(leading))
        return shares

    def arguments(self) -> dict[str, Any]:
        """Of the mixture's generator, without a route."""
        names, first = list(self.domains), self.models[0].card
        pairs = sum(1 << names.index(start) * len(names) + names.index(end) for start, end in self.ways)
        size = _layout(self.models[0], first.directions[0])
        own = {name: getattr(size, name) for name in SIZE}
        return {"domains": len(names), "pairs": pairs, "stack": first.stack, **own}

    def weights(self, shares: Shares) -> dict[str, torch.Tensor]:
        """All networks' weights as they are, in half precision where that changes none, and the table of shares.

        Raises:
            InputError: Where weights do not fit, or shares do not add up to 1.
        """
        import torch

        names, arguments = list(self.domains), self.arguments()
        state: dict[str, torch.Tensor] = {}
        for (start, end), (model, direction) in self.ways.items():
            prefix = PairMixtureLayout.name_of(names.index(start), names.index(end))
            for key, value in _weights_of_middle(model, direction).items():
                state[f"{prefix}.{key}"] = _smallest(torch.from_numpy(value))
        table = np.zeros((2 ** len(names), len(names), len(names)), np.float32)
        for (given, target), of_inputs in shares.items():
            bits = sum(1 << names.index(name) for name in given)
            for name, share in of_inputs.items():
                table[bits, names.index(target), names.index(name)] = share
            route = PairMixtureLayout(given=bits, target=names.index(target), **arguments)
            route.shares_of_route(table)
        return state | {SHARES: torch.from_numpy(table)}

    def card(self, name: str, title: str, training: dict[str, Any]) -> ModelCard:
        """The card, without weights; directions, figures and lesions under the names of its routes.

        Raises:
            InputError: For a name or title that no model can have.
        """
        first = self.models[0].card
        licences = list(dict.fromkeys(model.card.licence for model in self.models))
        citations = list(dict.fromkeys(model.card.citation for model in self.models))
        order = list(self.domains)
        ways = sorted(self.ways, key=lambda way: (order.index(way[0]), order.index(way[1])))
        lesions = {}
        for start, end in ways:
            model, direction = self.ways[start, end]
            if direction in model.card.lesions:
                lesions[Route((start,), end).direction] = model.card.lesions[direction]
        with refused_as_input("A joined model"):
            return ModelCard.model_validate(
                {
                    "schema_version": MANY_VERSION,
                    "name": name,
                    "title": title,
                    "architecture": {"name": MIXTURE, "arguments": self.arguments()},
                    "domains": [domain.model_dump() for domain in self.domains.values()],
                    "directions": [Route((start,), end).direction for start, end in ways],
                    "spacing_mm": first.spacing_mm,
                    "plane": first.plane,
                    "stack": first.stack,
                    "stack_spacing_mm": first.stack_spacing_mm,
                    "training": training,
                    "metrics": {label: values for model in self.models for label, values in model.card.metrics.items()},
                    "lesions": {route: summary.model_dump() for route, summary in lesions.items()},
                    "licence": "; ".join(licences),
                    "citation": " ".join(filter(None, citations)),
                    "intended_use": first.intended_use,
                }
            )

    def calibration(self, card: ModelCard) -> Calibration | None:
        """What is known of the errors of single inputs, which are the pairs'; None where nothing is.

        Args:
            card: Of the joined model, with its weights.
        """
        directions, told = {}, ""
        for (start, end), (model, direction) in self.ways.items():
            known = read_calibration(model.folder, model.card)
            if known is not None and direction in known.directions:
                directions[Route((start,), end).direction] = known.directions[direction]
                told = told or known.data
        if not directions:
            return None
        return Calibration(weights_sha256=card.stored.sha256, directions=directions, data=told)


def _layout(model: StyleModel, direction: Direction) -> BilateralLayout:
    """The size of a pair's generator."""
    layout = known_layout(PAIR, **model.card.arguments_of(direction))
    assert isinstance(layout, BilateralLayout)
    return layout


def _weights_of_middle(model: StyleModel, direction: Direction) -> dict[str, np.ndarray]:
    """A pair's weights; of a generator of whole stacks those that make the middle slice."""
    stored = model.weights(direction)
    assert stored is not None  # the layout of this generator is known
    layout, values = _layout(model, direction), dict(stored[1])
    kept = middle(layout.out_channels, 1)
    curves = slice(kept.start * layout.bins, kept.stop * layout.bins)
    for name, rows in (("head", curves), ("guide.2", kept), ("detail.last.3", kept)):
        for part in ("weight", "bias"):
            if f"{name}.{part}" in values:
                values[f"{name}.{part}"] = values[f"{name}.{part}"][rows].copy()
    return values


def _smallest(values: torch.Tensor) -> torch.Tensor:
    """The values in half precision where that changes none of them."""
    half = values.half()
    return half if bool((half.float() == values).all()) else values


def save_joined(
    folder: Path, pairs: JoinedPairs, card: ModelCard, shares: Shares, readme: str, overwrite: bool = False
) -> ModelCard:
    """Write the joined model's folder; what is known of its errors is ``JoinedPairs.calibration``.

    Args:
        folder: To write.
        pairs: The models.
        card: As ``JoinedPairs.card`` gives it.
        shares: Of every set of inputs.
        readme: Text of its ``README.md``.
        overwrite: Whether a folder of that name is replaced.

    Returns:
        The card with the weights' size and digest.

    Raises:
        InputError: If the folder exists and is to stay, or weights or shares do not fit.
        StyleTransferError: If it cannot be written.
    """
    return save_model(folder, card, pairs.weights(shares), readme=readme, overwrite=overwrite)
