"""What is known of the generator for many domains without torch is what it is."""

import inspect

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import build_generator, known_layout
from surgical_style_engine.networks.domain_grid import DomainGridGenerator
from surgical_style_engine.networks.domain_grid_layout import DomainGridLayout


@pytest.mark.parametrize("arguments", [{}, {"domains": 2, "features": 8, "levels": 0, "detail": 0, "stack": 1}])
def test_names_shapes_and_numbers(arguments):
    network, layout = build_generator("domain_grid", **arguments), known_layout("domain_grid", **arguments)
    assert layout.shapes() == {key: list(value.shape) for key, value in network.state_dict().items()}
    for name in ("in_channels", "out_channels", "bins", "multiple", "residual"):
        assert getattr(layout, name) == getattr(network, name)


def test_arguments_and_their_defaults():
    parameters = inspect.signature(DomainGridGenerator).parameters
    assert inspect.signature(DomainGridLayout).parameters == dict(parameters.items())


@pytest.mark.parametrize(
    "arguments",
    [{"domains": 1}, {"domains": 11}, {"given": 0}, {"given": 16}, {"target": 4}, {"stack": 2}, {"features": 12}],
)
def test_what_cannot_be_is_refused_in_the_same_words(arguments):
    sentences = []
    for make in (build_generator, known_layout):
        with pytest.raises(InputError) as caught:
            make("domain_grid", **arguments)
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1]


def test_a_route_knows_its_inputs():
    layout = DomainGridLayout(given=0b1010, target=2)
    assert layout.sources == (1, 3) and layout.in_channels == 6


def test_the_weights_of_a_route_are_those_of_its_inputs():
    layout = DomainGridLayout(domains=3, given=0b101, target=1, features=8, bins=4, detail=4)
    random = np.random.default_rng(0)
    weights = {name: random.normal(size=shape).astype(np.float32) for name, shape in layout.shapes().items()}
    own = layout.of_route(weights)
    assert own["guide_first.weight"].shape[1] == layout.in_channels == 6
    # The first slices of both domains, then the second ones.
    assert np.array_equal(own["guide_first.weight"][:, 1], weights["guide_first.weight"][:, 6])
    assert own["head.weight"].shape[0] == 2 * (4 + 1) and np.array_equal(
        own["head.bias"][:4], weights["head.bias"][1, :4]
    )
    unmodulated = layout.of_route(
        {**weights, "film.2.weight": 0 * weights["film.2.weight"], "film.2.bias": 0 * weights["film.2.bias"]}
    )
    assert np.array_equal(unmodulated["stem.0.norm.weight"], weights["stem.0.norm.weight"])
    assert not np.array_equal(own["stem.0.norm.weight"], weights["stem.0.norm.weight"])
