"""The generator for many domains: any of them in, any other out, and it cannot invent below a scale."""

import pytest
import torch

from surgical_style_engine.networks import build_generator
from surgical_style_engine.networks.domain_grid import DomainGridGenerator

SMALL = {"domains": 3, "features": 8, "bins": 6, "detail": 4}


def lively(**route) -> DomainGridGenerator:
    """Weights that do more than they begin with, the same for every route."""
    torch.manual_seed(1)
    network = build_generator("domain_grid", **SMALL, **route)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval().requires_grad_(False)


def stacks(count: int, inputs: int, h: int = 32, w: int = 32) -> torch.Tensor:
    return torch.rand(count, inputs, 3, h, w, generator=torch.Generator().manual_seed(2)) * 2 - 1


def as_input(images: torch.Tensor) -> torch.Tensor:
    """(n, s, stack, h, w) as translations give it: a slice's channels together."""
    return images.transpose(1, 2).flatten(1, 2)


@pytest.mark.parametrize(("given", "inputs"), [(1, 1), (4, 1), (5, 2), (7, 3)])
@pytest.mark.parametrize("size", [(16, 16), (33, 50)])
def test_a_route_has_its_own_channels_and_keeps_every_size(given, inputs, size):
    network = lively(given=given, target=1)
    assert network.in_channels == 3 * inputs
    result = network(as_input(stacks(2, inputs, *size)))
    assert result.shape == (2, 1, *size) and result.abs().max() <= 1


def test_a_batch_is_its_images_one_by_one():
    network = lively(given=5, target=1)
    batch = as_input(stacks(3, 2))
    torch.testing.assert_close(network(batch), torch.cat([network(image[None]) for image in batch]))


def test_a_route_is_what_the_network_for_all_routes_makes():
    """The order of the inputs does not matter there; channels of a route's own network are in the domains' order."""
    everything, route = lively(), lively(given=6, target=0)
    images = stacks(2, 2)
    expected = route(as_input(images))
    for order in ([0, 1], [1, 0]):
        given = torch.tensor([[1, 2]])[:, order].expand(2, -1)
        result = everything.translated(images[:, order], given, torch.tensor([[0]] * 2))
        torch.testing.assert_close(result[:, 0], expected)


def test_several_targets_of_one_look_are_what_each_gives():
    network, images = lively(), stacks(2, 1)
    given, targets = torch.tensor([[0], [2]]), torch.tensor([[1, 2], [0, 1]])
    together = network.translated(images, given, targets)
    for column in range(2):
        alone = network.translated(images, given, targets[:, column : column + 1])
        torch.testing.assert_close(together[:, column : column + 1], alone)
    assert not torch.allclose(together[:, 0], together[:, 1])


def test_training_computes_what_translating_does():
    network, images = lively(), stacks(2, 2)
    route = torch.tensor([[0, 1]] * 2), torch.tensor([[2]] * 2)
    expected = network.translated(images, *route)
    torch.testing.assert_close(network.train().translated(images, *route).clamp(-1, 1), expected, rtol=1e-4, atol=1e-5)


def test_it_begins_with_the_tone_curves_it_is_given():
    network = build_generator("domain_grid", **SMALL).eval()
    curves = torch.zeros(3, 3, 6)
    curves[1, 0] = torch.linspace(0.8, -0.8, 6)
    with torch.no_grad():
        network.head.weight.zero_()
        network.guide_last.weight.zero_()
        network.detail.last.weight.zero_()
        network.begin_with(curves)
        images = stacks(1, 1)
        result = network.translated(images, torch.tensor([[0]]), torch.tensor([[1]]))
    torch.testing.assert_close(result[0, 0, 0], -0.8 * images[0, 0, 1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("diameter", [4, 8, 16])
def test_it_cannot_invent_where_there_is_nothing(diameter):
    """All inputs constant within a disc: its centre is the mean of two points of the rim, but for the bound."""
    network = lively(given=7, target=1)
    images = stacks(1, 3, 64, 64)
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    inside = ((y - 32) ** 2 + (x - 32) ** 2).float().sqrt() <= diameter / 2 + 4
    images[..., inside] = 0.2
    result = network(as_input(images))[0, 0]
    half = diameter // 2
    worst = max(
        float((result[32, 32] - (result[32 - half, 32] + result[32 + half, 32]) / 2).abs()),
        float((result[32, 32] - (result[32, 32 - half] + result[32, 32 + half]) / 2).abs()),
    )
    assert worst <= network.largest_invention(diameter)
    assert network.largest_invention(4) < network.largest_invention(8) < 2


def test_shares_are_convex_and_every_weight_learns():
    network = lively().requires_grad_(True).train()
    network.translated(stacks(2, 2), torch.tensor([[0, 1], [1, 2]]), torch.tensor([[2], [0]])).sum().backward()
    assert {name for name, parameter in network.named_parameters() if parameter.grad is None} == set()
    low = torch.randn(1, 16, 4, 4)
    grid = network.head(low, torch.tensor([[0, 2]]), torch.tensor([1]))
    assert grid.shape == (1, 2, 6, 4, 4) and grid.abs().amax(2).sum(1).max() <= 1
