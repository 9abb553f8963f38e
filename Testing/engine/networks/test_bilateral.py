"""The generator of local tone curves: any size, no NaN, what it can invent at most, and OpenVINO gives the same."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import build_generator
from surgical_style_engine.networks.bilateral import CELL, BilateralGenerator


def restless(seed: int = 0, **arguments) -> BilateralGenerator:
    """A generator whose weights draw as strongly as weights can."""
    torch.manual_seed(seed)
    network = BilateralGenerator(**{"features": 8, "detail": 8, **arguments}).eval()
    with torch.no_grad():
        network.head.weight.mul_(300)
        for parameter in network.detail.parameters():
            parameter.mul_(3)
        network.detail.last[3].weight.mul_(30)
    return network


@pytest.mark.parametrize("size", [(16, 16), (37, 53), (96, 64)])
@pytest.mark.parametrize("stack", [1, 3, 5])
def test_any_size_and_stack(size, stack):
    network = build_generator("bilateral", in_channels=stack, features=8)
    assert network.eval()(torch.rand(2, stack, *size) * 2 - 1).shape == (2, 1, *size)


@pytest.mark.parametrize("arguments", [{"out_channels": 2}, {"features": 12}])
def test_what_it_cannot_be(arguments):
    with pytest.raises(InputError, match="bilateral generator"):
        build_generator("bilateral", **arguments)


def test_begins_with_a_curve():
    network = BilateralGenerator(detail=0)
    values = torch.linspace(0.9, -0.9, 12)
    network.begin_with(values)
    with torch.no_grad():
        network.head.weight.zero_()
        network.guide[2].weight.zero_()
        x = torch.linspace(-1, 1, 3 * 24 * 24).view(1, 3, 24, 24)
        made = network.eval()(x)
    assert torch.allclose(made[0, 0], -0.9 * x[0, 1], atol=1e-5)


@pytest.mark.parametrize("size", [(64, 48), (61, 43)])
def test_training_and_translating_compute_the_same(size):
    network = restless()
    x = torch.rand(2, 3, *size) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(network.train()(x).clamp(-1, 1), network.eval()(x), atol=1e-4)


def test_training_has_the_gradients_of_the_weighted_sums():
    """Curves are looked up in training and summed otherwise."""
    network, x = restless(), torch.rand(2, 3, 40, 36) * 2 - 1
    found = []
    for training in (True, False):
        network.zero_grad()
        made = network.train(training)(x)
        (made * (made.detach().abs() < 1)).sin().mean().backward()
        found.append([weight.grad.clone() for weight in network.parameters()])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))


def test_channels_last_computes_the_same():
    network, x = restless(), torch.rand(2, 3, 40, 36) * 2 - 1
    with torch.no_grad():
        expected = network(x)
        turned = network.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    assert torch.allclose(turned, expected, atol=1e-4)


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_constant_slices_are_numbers(value):
    made = restless()(torch.full((1, 3, 40, 40), value))
    assert torch.isfinite(made).all()


def test_gradients_are_those_of_differences():
    torch.manual_seed(0)
    network = BilateralGenerator(in_channels=1, features=8, bins=5, levels=0, detail=4).double()
    x = (torch.rand(1, 1, 16, 16, dtype=torch.float64) * 2 - 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda image: network(image)[..., 4:12:4, 4:12:4], x, eps=1e-7, atol=1e-4)


def opposite_rims(made: torch.Tensor, centre: tuple[int, int], radius: int) -> list[float]:
    """How far the centre is from the mean of two opposite rim points: along rows, columns and (inside) a diagonal."""
    row, column = centre
    near = int(radius / 2**0.5)
    ways = ((radius, 0), (0, radius), (near, near))
    rims = [(made[row + down, column + right] + made[row - down, column - right]) / 2 for down, right in ways]
    return [float((made[row, column] - rim).abs()) for rim in rims]


@pytest.mark.parametrize("diameter", [2, 4, 8])
def test_what_can_be_invented_within_a_constant_disc(diameter):
    radius, size = diameter // 2, 64
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    for seed in range(12):
        network = restless(seed)
        centre = 20 + seed
        inside = (rows - centre) ** 2 + (columns - centre) ** 2 <= radius**2
        torch.manual_seed(seed)
        x = torch.rand(1, 3, size, size) * 2 - 1
        x[..., inside] = float(torch.rand(())) * 2 - 1
        with torch.no_grad():
            made = network(x)[0, 0]
        assert max(opposite_rims(made, (centre, centre), radius)) <= network.largest_invention(diameter)


@pytest.mark.parametrize("diameter", [2, 4, 8])
def test_the_bound_is_one_that_grids_come_near(diameter):
    """A grid as restless as grids can be, on a constant image."""
    network = BilateralGenerator(detail=0).eval()
    bound = network.largest_invention(diameter)
    grid = torch.full((1, 12, 8, 8), -1.0)
    grid[:, :, 4, 4] = 1
    with torch.no_grad():
        made = network.toned(torch.zeros(1, 3, 64, 64), grid)[0, 0]
    found = max(opposite_rims(made, (35, 35), diameter // 2))
    assert 0.3 * bound < found <= bound


def test_without_a_residual_nothing_but_tone_changes():
    network = restless()
    network.residual = 0.0
    assert network.largest_invention(2) == pytest.approx(2**0.5 * 1.1 * 2 / CELL)
    assert network.largest_invention(4) == pytest.approx(2 * network.largest_invention(2))


@pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")
@pytest.mark.parametrize("size", [(64, 48), (60, 44)])
def test_openvino_computes_the_same(size):
    from surgical_style_engine.backends.openvino import library

    network = restless()
    ready = library.core().compile_model(
        library.openvino_package().convert_model(
            network, example_input=torch.zeros(1, 3, 64, 64), input=[(-1, 3, -1, -1)]
        ),
        "CPU",
        {"INFERENCE_PRECISION_HINT": "f32"},
    )
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3, *size)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x)).numpy()
    assert np.abs(ready(x)[0] - expected).max() < 1e-3


def test_trained_in_bf16_it_computes_the_same_within_its_rounding():
    torch.manual_seed(0)
    network = BilateralGenerator().train()
    x = torch.rand(2, 3, 64, 320) * 2 - 1  # beyond 256 pixels, which bf16 cannot number
    exact = network(x)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = network(x)
    assert reduced.dtype == torch.float32 and (reduced - exact).abs().max() < 0.05
    reduced.abs().mean().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())
