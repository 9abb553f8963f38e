"""Our instance normalisation computes what torch's does."""

import pytest
import torch
from torch import nn

from surgical_style_engine.networks.instance_norm import InstanceNorm2d


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_torchs(affine, layout):
    generator = torch.Generator().manual_seed(0)
    ours, torchs = InstanceNorm2d(6, affine=affine), nn.InstanceNorm2d(6, affine=affine)
    if affine:
        for layer in (ours, torchs):
            layer.load_state_dict({"weight": torch.arange(1.0, 7), "bias": torch.arange(-3.0, 3)})
    images = 100 + 3 * torch.randn(2, 6, 9, 7, generator=generator).to(memory_format=layout)
    results = []
    for layer in (ours, torchs):
        x = images.clone().requires_grad_()
        y = layer(x)
        (y**3).sum().backward()
        results.append((y.detach(), x.grad, *(parameter.grad for parameter in layer.parameters())))
    for mine, wanted in zip(*results, strict=True):
        assert torch.allclose(mine, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))


def test_in_bf16_statistics_are_precise():
    images = 50 + torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(1))
    low = images.bfloat16()
    wanted = nn.InstanceNorm2d(4)(low.float())
    assert (InstanceNorm2d(4)(low).float() - wanted).abs().max() < 0.02


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("mean", [0, 50, 500])
def test_large_means_leave_the_digits(mean, layout):
    images = mean + torch.randn(1, 4, 40, 40, generator=torch.Generator().manual_seed(2))
    images = images.to(memory_format=layout)
    wanted = nn.InstanceNorm2d(4)(images.double())
    assert (InstanceNorm2d(4)(images) - wanted).abs().max() < 5e-5


def test_a_single_pixel_has_no_statistics():
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        InstanceNorm2d(3)(torch.zeros(2, 3, 1, 1))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_what_is_traced_is_called_by_its_name():
    traced = torch.jit.trace(InstanceNorm2d(3), torch.rand(1, 3, 8, 8))
    assert "aten::instance_norm" in str(traced.inlined_graph)
