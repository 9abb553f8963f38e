"""What is known of the generator of tone curves without torch is what it is."""

import inspect

import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import build_generator, known_layout
from surgical_style_engine.networks.bilateral import BilateralGenerator
from surgical_style_engine.networks.bilateral_layout import BilateralLayout


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"in_channels": 1, "features": 8, "bins": 2, "levels": 0, "detail": 0},
        {"in_channels": 5, "out_channels": 5, "features": 16, "levels": 3, "detail": 4, "residual_percent": 0},
        {"features": 8, "levels": 1, "dropout_percent": 10},
    ],
)
def test_names_shapes_and_numbers(arguments):
    network, layout = build_generator("bilateral", **arguments), known_layout("bilateral", **arguments)
    assert layout.shapes() == {key: list(value.shape) for key, value in network.state_dict().items()}
    for name in ("in_channels", "out_channels", "bins", "multiple", "residual", "translated"):
        assert getattr(layout, name) == getattr(network, name)


def test_arguments_and_their_defaults():
    parameters = inspect.signature(BilateralGenerator).parameters
    assert inspect.signature(BilateralLayout).parameters == dict(parameters.items())


@pytest.mark.parametrize(
    "arguments", [{"out_channels": 2}, {"features": 12}, {"bins": 0}, {"levels": -1}, {"detail": 1.5}, {"ngf": 8}]
)
def test_what_cannot_be_is_refused_in_the_same_words(arguments):
    sentences = []
    for make in (build_generator, known_layout):
        with pytest.raises(InputError) as caught:
            make("bilateral", **arguments)
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1]
