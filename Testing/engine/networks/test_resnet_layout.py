"""The layout that is known without torch is that of the network."""

import inspect

import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import GENERATORS, build_generator, known_layout
from surgical_style_engine.networks.resnet import ResnetGenerator
from surgical_style_engine.networks.resnet_layout import ResnetLayout, block_side


@pytest.mark.parametrize(
    "arguments",
    [
        {"ngf": 8},
        {"in_channels": 3, "out_channels": 3, "ngf": 32, "n_blocks": 6},
        {"in_channels": 2, "out_channels": 5, "ngf": 3, "n_blocks": 0},
        {"ngf": 2, "n_blocks": 1},
    ],
)
def test_names_and_shapes(arguments):
    state = build_generator("resnet", **arguments).state_dict()
    assert known_layout("resnet", **arguments).shapes() == {key: list(value.shape) for key, value in state.items()}


def test_arguments_and_their_defaults():
    assert inspect.signature(ResnetLayout).parameters == {
        name: parameter for name, parameter in inspect.signature(ResnetGenerator).parameters.items()
    }


@pytest.mark.parametrize("arguments", [{"ngf": 0}, {"ngf": 4.0}, {"n_blocks": -1}, {"n_blocks": 1 << 20}, {"norm": 1}])
def test_what_cannot_be_is_refused_in_the_same_words(arguments):
    sentences = []
    for make in (build_generator, known_layout):
        with pytest.raises(InputError) as caught:
            make("resnet", **arguments)
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1]


def test_which_architectures_are_known():
    known = ["resnet", "bilateral", "domain_grid", "pair_mixture"]
    assert [name for name in GENERATORS if known_layout(name) is not None] == known


def test_blocks_fill_the_lanes():
    assert [block_side(channels) for channels in (1, 2, 3, 4, 5, 9)] == [4, 2, 2, 2, 1, 1]
