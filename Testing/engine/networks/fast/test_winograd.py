"""The convolution by transformed tiles computes what torch's own does, and steps back where it would not."""

import copy

import pytest
import torch
from tiny_models import values_and_gradients
from torch import nn

from surgical_style_engine.networks.fast.winograd import WinogradConv2d


def textbook(layer: WinogradConv2d) -> nn.Conv2d:
    own = nn.Conv2d(layer.in_channels, layer.out_channels, 3, bias=layer.bias is not None, dtype=layer.weight.dtype)
    own.load_state_dict(layer.state_dict())
    return own


def transforms(layer: WinogradConv2d, images: torch.Tensor) -> bool:
    """Whether the layer went its own way: torch's own would give its result bit for bit."""
    with torch.no_grad():
        return not torch.equal(layer(images), textbook(layer)(images))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(26, 26), (35, 28), (31, 25)], ids=["whole tiles", "part tiles down", "part tiles"])
def test_values_and_gradients_are_those_of_the_convolution(bias, layout, size):
    torch.manual_seed(0)
    layer = WinogradConv2d(64, 80, bias=bias)
    images = torch.randn(2, 64, *size).to(memory_format=layout)
    assert transforms(layer, images)
    results = [values_and_gradients(network, images) for network in (layer, textbook(layer))]
    assert results[0][0].shape == (2, 80, size[0] - 2, size[1] - 2)
    for mine, wanted in zip(*results, strict=True):
        assert mine.shape == wanted.shape
        assert (mine - wanted).abs().max() < 2e-4 * wanted.std()


def test_only_the_gradients_that_are_wanted():
    layer = WinogradConv2d(64, 64, bias=False).requires_grad_(False)
    x = torch.randn(1, 64, 26, 26, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None and layer.weight.grad is None
    layer.requires_grad_(True)
    layer(x.detach()).sum().backward()
    assert layer.weight.grad is not None


def test_large_means_do_not_spoil_small_differences():
    torch.manual_seed(1)
    layer = WinogradConv2d(128, 128, bias=False)
    images = 20 + torch.randn(1, 128, 42, 42)
    with torch.no_grad():
        wanted = textbook(layer).double()(images.double())
        error = layer(images).double() - wanted
    assert error.std() < 1e-4 * (wanted - wanted.mean((2, 3), keepdim=True)).std()


@pytest.mark.parametrize(
    "layer, images",
    [
        (WinogradConv2d(32, 64), torch.randn(1, 32, 40, 40)),
        (WinogradConv2d(64, 64), torch.randn(1, 64, 10, 10)),
        (WinogradConv2d(64, 64).bfloat16(), torch.randn(1, 64, 40, 40).bfloat16()),
        (WinogradConv2d(64, 64).double(), torch.randn(1, 64, 40, 40).double()),
    ],
    ids=["few channels", "few pixels", "bf16", "double"],
)
def test_where_it_would_not_help_it_is_torchs_own(layer, images):
    assert not transforms(layer, images)


def test_under_autocast_it_computes_in_reduced_precision():
    layer = WinogradConv2d(64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(1, 64, 40, 40)).dtype == torch.bfloat16


def test_a_trace_holds_the_convolution_and_takes_other_sizes():
    layer = WinogradConv2d(64, 64).eval()
    traced = torch.jit.trace(layer, torch.rand(1, 64, 40, 40))
    images = torch.rand(2, 64, 6, 11)
    assert torch.equal(traced(images), textbook(layer)(images))


@pytest.mark.parametrize("change", ["in place", "another tensor", "a copy"])
def test_changed_weights_are_not_mixed_up_with_remembered_ones(change):
    torch.manual_seed(2)
    layer = WinogradConv2d(64, 64, bias=False)
    images = torch.randn(1, 64, 26, 26)
    with torch.inference_mode():
        before = layer(images)
        assert torch.equal(layer(images), before)
    if change == "a copy":
        layer = copy.deepcopy(layer)
    if change == "another tensor":
        layer.weight = nn.Parameter(layer.weight.detach() * -2)
    else:
        with torch.no_grad():
            layer.weight.mul_(-2)
    with torch.inference_mode():
        assert torch.allclose(layer(images), -2 * before, rtol=0, atol=1e-3)


def test_the_same_input_gives_the_same_output():
    layer = WinogradConv2d(64, 64)
    images = torch.randn(2, 64, 40, 40)
    with torch.inference_mode():
        first = layer(images)
        assert all(torch.equal(layer(images), first) for _ in range(5))
