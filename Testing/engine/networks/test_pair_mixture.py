"""A mixture of pairs: one input as by its own generator, several as the weighted mean, and nothing invented."""

import pytest
import torch

from surgical_style_engine.networks import build_generator
from surgical_style_engine.networks.bilateral import BilateralGenerator
from surgical_style_engine.networks.pair_mixture import PairMixtureGenerator

THREE = {"domains": 3, "pairs": 1 << 1 | 1 << 7 | 1 << 3, "features": 8, "bins": 6, "detail": 4}


def lively(given: int, target: int = 1) -> PairMixtureGenerator:
    """Weights that do more than they begin with, the same for every route."""
    torch.manual_seed(1)
    network = build_generator("pair_mixture", given=given, target=target, **THREE)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name != "shares":
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval().requires_grad_(False)


def as_input(images: torch.Tensor) -> torch.Tensor:
    """(n, s, stack, h, w) as translations give it: a slice's channels together."""
    return images.transpose(1, 2).flatten(1, 2)


def stacks(inputs: int, h: int = 32, w: int = 48) -> torch.Tensor:
    return torch.rand(2, inputs, 3, h, w, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_one_input_is_what_its_pair_makes():
    network, images = lively(0b100), stacks(1)
    pair = BilateralGenerator(3, 1, features=8, bins=6, detail=4).eval()
    pair.load_state_dict(network.pair["2_1"].state_dict())
    assert torch.equal(network(images[:, 0]), pair(images[:, 0]))


@pytest.mark.parametrize("size", [(16, 16), (33, 50)])
def test_several_are_the_weighted_mean(size):
    network, images = lively(0b101), stacks(2, *size)
    network.shares[0b101, 1, 0], network.shares[0b101, 1, 2] = 0.25, 0.75
    alone = [network.pair[f"{number}_1"](images[:, place]) for place, number in enumerate((0, 2))]
    result = network(as_input(images))
    torch.testing.assert_close(result, 0.25 * alone[0] + 0.75 * alone[1])
    assert result.shape == (2, 1, *size) and result.abs().max() <= 1 and result.std() > 0.05


def test_an_input_without_a_share_or_a_pair_changes_nothing():
    network, images = lively(0b111), stacks(3)
    network.shares[0b111, 1] = torch.tensor([1.0, 0.0, 0.0])
    other = images.clone()
    other[:, 1:] = -other[:, 1:]
    assert torch.equal(network(as_input(images)), network(as_input(other)))


def test_what_is_in_no_input_is_not_drawn():
    """Within a disc that is constant in all inputs, the output keeps to the bound."""
    network, size, diameter = lively(0b101), 96, 12
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    disc = ((rows - 48) ** 2 + (columns - 48) ** 2) <= (diameter / 2 + 1) ** 2
    images = stacks(2, size, size)
    images[..., disc] = 0.3
    result = network(as_input(images))[:, 0]
    for turn in ((6, 0), (0, 6)):
        rim = [result[:, 48 + sign * turn[0], 48 + sign * turn[1]] for sign in (-1, 1)]
        assert (result[:, 48, 48] - (rim[0] + rim[1]) / 2).abs().max() <= network.largest_invention(diameter)
    assert network.largest_invention(diameter) == network.pair["0_1"].largest_invention(diameter)


def test_it_can_be_traced():
    network, images = lively(0b101), stacks(2)
    traced = torch.jit.trace(network, as_input(images), check_trace=False)
    torch.testing.assert_close(traced(as_input(images.flip(-1))), network(as_input(images.flip(-1))))
