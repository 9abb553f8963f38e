"""What is known of a mixture of pairs without torch is what it is."""

import inspect

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import build_generator, known_layout
from surgical_style_engine.networks.pair_mixture import PairMixtureGenerator
from surgical_style_engine.networks.pair_mixture_layout import SHARES, PairMixtureLayout

# 0 to 1, 2 to 1 and 1 to 0 of three domains.
THREE = {"domains": 3, "pairs": 1 << 1 | 1 << 7 | 1 << 3, "features": 8, "bins": 6, "detail": 4}


@pytest.mark.parametrize("arguments", [{}, {"target": 1, **THREE}, {"target": 1, "stack": 5, **THREE}])
def test_names_shapes_and_numbers(arguments):
    network, layout = build_generator("pair_mixture", **arguments), known_layout("pair_mixture", **arguments)
    assert layout.shapes() == {key: list(value.shape) for key, value in network.state_dict().items()}
    for name in ("in_channels", "out_channels", "multiple"):
        assert getattr(layout, name) == getattr(network, name)


def test_arguments_and_their_defaults():
    parameters = inspect.signature(PairMixtureGenerator).parameters
    assert inspect.signature(PairMixtureLayout).parameters == dict(parameters.items())


@pytest.mark.parametrize(
    "arguments",
    [
        {"domains": 1},
        {"domains": 11},
        {"given": 0},
        {"given": 16},
        {"target": 4},
        {"stack": 2},
        {"features": 12},
        {"pairs": 1},  # from a domain into itself
        {"pairs": 1 << 16},  # of a domain that is not there
        {"given": 2, "target": 0},  # no pair leads there
    ],
)
def test_what_cannot_be_is_refused_in_the_same_words(arguments):
    sentences = []
    for make in (build_generator, known_layout):
        with pytest.raises(InputError) as caught:
            make("pair_mixture", **arguments)
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1]


def test_a_card_cannot_ask_for_sets_without_end():
    with pytest.raises(InputError, match="cannot have pairs"):
        known_layout("pair_mixture", pairs=1 << 200)


def test_a_route_knows_its_inputs_and_which_of_them_lead_there():
    layout = PairMixtureLayout(given=0b111, target=1, **THREE)
    assert layout.sources == (0, 1, 2) and layout.used == (0, 2) and layout.in_channels == 9


def table(**shares: float) -> np.ndarray:
    values = np.zeros((8, 3, 3), np.float32)
    for place, share in shares.items():
        values[0b101, 1, int(place[1:])] = share
    return values


def test_shares_are_those_of_the_route():
    layout = PairMixtureLayout(given=0b101, target=1, **THREE)
    assert layout.shares_of_route(table(d0=0.25, d2=0.75)) == {0: 0.25, 2: 0.75}
    assert layout.shares_of_route(table(d2=1.0)) == {2: 1.0}
    assert layout.shares_of_route(table(d0=0.2495, d2=0.75))[2] == pytest.approx(0.75038, abs=1e-5)


@pytest.mark.parametrize(
    "shares", [{"d0": 0.5}, {"d0": -0.5, "d2": 1.5}, {"d1": 1.0}, {"d0": float("nan"), "d2": 1.0}, {}]
)
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(InputError, match="do not add up to 1"):
        PairMixtureLayout(given=0b101, target=1, **THREE).shares_of_route(table(**shares))


def test_the_weights_of_a_pair():
    layout = PairMixtureLayout(given=0b101, target=1, **THREE)
    weights = {name: np.full(shape, number) for number, (name, shape) in enumerate(layout.shapes().items())}
    own = layout.of_pair(weights, 2)
    assert {name: list(value.shape) for name, value in own.items()} == layout.pair.shapes()
    assert own["head.weight"] is weights["pair.2_1.head.weight"] and SHARES not in own
