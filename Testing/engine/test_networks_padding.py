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
