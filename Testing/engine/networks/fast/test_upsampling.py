"""Doubling and convolution in one layer computes what the two do one after the other."""

import pytest
import torch
from tiny_models import values_and_gradients
from torch import nn

from surgical_style_engine.networks.fast.upsampling import UpsamplingConv2d


def textbook(layer: UpsamplingConv2d) -> nn.Sequential:
    convolution = nn.Conv2d(layer.in_channels, layer.out_channels, 3, bias=layer.bias is not None)
    convolution.load_state_dict(layer.state_dict())
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.ReflectionPad2d(1), convolution)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_the_two_steps(bias, layout):
    torch.manual_seed(0)
    layer = UpsamplingConv2d(5, 3, bias=bias)
    images = torch.randn(2, 5, 7, 4).to(memory_format=layout)
    results = [values_and_gradients(network, images) for network in (layer, textbook(layer))]
    assert results[0][0].shape == (2, 3, 14, 8)
    for mine, wanted in zip(*results, strict=True):
        assert torch.allclose(mine, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


class TestByTransformedTiles:
    """Many channels and pixels, in fp32."""

    @pytest.mark.parametrize("bias", [False, True])
    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    @pytest.mark.parametrize("size", [(24, 24), (29, 31)], ids=["whole tiles", "part tiles"])
    def test_values_and_gradients_are_those_of_the_two_steps(self, bias, layout, size):
        torch.manual_seed(0)
        layer = UpsamplingConv2d(64, 24, bias=bias)
        images = torch.randn(2, 64, *size).to(memory_format=layout)
        results = [values_and_gradients(network, images) for network in (layer, textbook(layer))]
        assert results[0][0].shape == (2, 24, 2 * size[0], 2 * size[1])
        for mine, wanted in zip(*results, strict=True):
            assert mine.shape == wanted.shape
            assert (mine - wanted).abs().max() < 3e-4 * wanted.std()

    @pytest.mark.parametrize(
        ("channels", "training", "tiles"), [(64, True, True), (64, False, False), (128, False, True), (8, True, False)]
    )
    def test_where_they_are_faster(self, channels, training, tiles):
        asked = []
        layer = UpsamplingConv2d(channels, 16)
        own = layer._tiled
        layer._tiled = lambda *given: asked.append(1) or own(*given)
        with torch.set_grad_enabled(training):
            layer(torch.randn(1, channels, 24, 24))
        assert bool(asked) == tiles

    def test_kernels_are_remembered_until_the_weights_change(self):
        torch.manual_seed(1)
        layer = UpsamplingConv2d(128, 16, bias=False)
        images = torch.randn(1, 128, 24, 24)
        with torch.inference_mode():
            before = layer(images)
            assert torch.equal(layer(images), before)
        assert (before - textbook(layer)(images)).abs().max() < 3e-4 * before.std()
        with torch.no_grad():
            layer.weight.mul_(-2)
        with torch.inference_mode():
            assert torch.allclose(layer(images), -2 * before, rtol=0, atol=1e-3)

    def test_a_trace_holds_no_tiles(self):
        layer = UpsamplingConv2d(128, 16).eval()
        traced = torch.jit.trace(layer, torch.rand(1, 128, 24, 24))
        images = torch.rand(1, 128, 9, 6)
        assert torch.equal(traced(images), layer(images))


def test_in_bf16_only_rounding_differs():
    torch.manual_seed(1)
    layer = UpsamplingConv2d(8, 4)
    images = torch.randn(1, 8, 16, 16)
    wanted = textbook(layer)(images)
    made = layer.bfloat16()(images.bfloat16()).float()
    assert (made - wanted).abs().max() < 0.03 * wanted.abs().max()


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_trace_takes_other_sizes():
    layer = UpsamplingConv2d(2, 3).eval()
    traced = torch.jit.trace(layer, torch.rand(1, 2, 8, 8))
    images = torch.rand(2, 2, 6, 11)
    assert torch.equal(traced(images), layer(images))
