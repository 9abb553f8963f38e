"""Padding is torch's, and autocast does not change the precision."""

import pytest
import torch
from torch import nn

from surgical_style_engine.networks import build_generator
from surgical_style_engine.networks.padding import ReflectionPad2d, pad


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize("cast", [False, True])
def test_values_and_precision(mode, cast):
    images = torch.randn(2, 3, 6, 7)
    images = images.bfloat16() if cast else images
    with torch.autocast("cpu", torch.bfloat16, enabled=cast):
        made = pad(images, (1, 2, 3, 0), mode)
    assert made.dtype == images.dtype
    assert torch.equal(made, nn.functional.pad(images, (1, 2, 3, 0), mode=mode))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("widths", [(1, 1, 1, 1), (3, 3, 3, 3), (2, 0, 0, 1), (0, 3, 2, 0), (0, 0, 0, 0)])
def test_the_gradient_is_torchs_and_keeps_the_layout(layout, widths):
    torch.manual_seed(0)
    images = torch.randn(2, 3, 6, 7).to(memory_format=layout)
    weights = torch.randn(2, 3, 6 + widths[2] + widths[3], 7 + widths[0] + widths[1]).to(memory_format=layout)
    found = []
    for way in (pad, nn.functional.pad):
        x = images.clone().requires_grad_()
        (way(x, widths, mode="reflect") * weights).sum().backward()
        found.append(x.grad)
    assert torch.allclose(*found, rtol=1e-6, atol=1e-6)
    assert found[0].is_contiguous(memory_format=layout)


def test_nothing_is_recorded_where_nothing_is_trained():
    x = torch.randn(1, 2, 6, 7)
    assert not pad(x, (1, 1, 1, 1), "reflect").requires_grad
    with torch.no_grad():
        assert not pad(x.requires_grad_(), (1, 1, 1, 1), "reflect").requires_grad


def test_a_trace_of_a_network_that_is_trained_holds_torchs_own():
    network = nn.Sequential(nn.Conv2d(1, 2, 1), ReflectionPad2d(2))
    traced = torch.jit.trace(network, torch.rand(1, 1, 6, 7))
    assert "pad" in str(traced.inlined_graph) and "_Reflected" not in str(traced.inlined_graph)
    images = torch.rand(2, 1, 9, 5)
    assert torch.equal(traced(images), network(images))


def test_the_layer_is_torchs():
    images = torch.randn(1, 2, 6, 7)
    assert torch.equal(ReflectionPad2d(3)(images), nn.ReflectionPad2d(3)(images))


@pytest.mark.parametrize("name", ["resnet", "resnet_reference"])
def test_a_generator_stays_in_bf16_between_its_convolutions(name):
    network = build_generator(name, in_channels=1, out_channels=1, ngf=4, n_blocks=1)
    seen = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.rand(1, 1, 32, 32))
    assert len(seen) > 6 and all(kind == torch.bfloat16 for kind in seen[1:])
