"""The convolution by blocks computes what torch's does."""

import pytest
import torch
from torch import nn

from surgical_style_engine.networks.fast.block_convolution import BlockConv2d


@pytest.mark.parametrize(("channels", "block"), [(1, 4), (3, 2), (4, 2), (5, 1)])
@pytest.mark.parametrize("size", [(26, 18), (25, 19)])
def test_values_and_gradients_are_torchs(channels, block, size):
    torch.manual_seed(0)
    ours, torchs = BlockConv2d(6, channels, 7), nn.Conv2d(6, channels, 7)
    torchs.load_state_dict(ours.state_dict())
    assert ours.block == block
    images = torch.randn(2, 6, *size)
    results = []
    for layer in (ours, torchs):
        x = images.clone().requires_grad_()
        y = layer(x)
        (y**3).sum().backward()
        results.append((y.detach(), x.grad, layer.weight.grad, layer.bias.grad))
    for mine, wanted in zip(*results, strict=True):
        assert mine.shape == wanted.shape
        assert torch.allclose(mine, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_trace_takes_other_sizes_of_whole_blocks():
    layer = BlockConv2d(2, 1, 7).eval()
    traced = torch.jit.trace(layer, torch.rand(1, 2, 70, 70))
    images = torch.rand(2, 2, 46, 34)
    assert torch.equal(traced(images), layer(images))
