"""Curves read plane by plane are those weighed by hat functions, and far cheaper."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.networks.bilateral import BilateralGenerator
from surgical_style_engine.networks.fast import tone_curves
from surgical_style_engine.networks.fast.tone_curves import pointwise, read_curves, reads_plane_by_plane


def by_hats(curves: torch.Tensor, place: torch.Tensor, factor: int) -> torch.Tensor:
    n, out, bins, h, w = curves.shape
    high = F.interpolate(curves.flatten(1, 2), scale_factor=float(factor), mode="bilinear")
    hats = F.relu(1 - (place.unsqueeze(2) - torch.arange(bins).view(bins, 1, 1)).abs())
    return (high.view(n, out, bins, factor * h, factor * w) * hats).sum(2)


@pytest.mark.parametrize(("out", "bins"), [(1, 12), (3, 5), (1, 1), (2, 2)])
def test_they_are_the_weighted_sums(out, bins):
    torch.manual_seed(0)
    curves, place = torch.randn(2, out, bins, 4, 3), torch.rand(2, out, 32, 24) * (bins - 1)
    place[:, :, :2] = torch.arange(bins).repeat(24)[:24].float()  # exactly at values
    assert torch.allclose(read_curves(curves, place, 8), by_hats(curves, place, 8), atol=2e-6)


def test_places_are_not_rounded_with_the_weights():
    """Where a network computes in bf16, a place on a curve would have 256 steps within the last values."""
    curves = torch.linspace(-1, 1, 12).view(1, 1, 12, 1, 1).expand(1, 1, 12, 4, 4)
    place = torch.rand(1, 1, 32, 32) * 11
    assert torch.allclose(read_curves(curves.bfloat16(), place, 8), place / 5.5 - 1, atol=2e-2)
    exact = read_curves(curves, place, 8)
    assert exact.dtype == torch.float32 and torch.allclose(exact, place / 5.5 - 1, atol=1e-5)
    assert read_curves(curves.double(), place.double(), 8).dtype == torch.float64


@pytest.mark.parametrize(("channels", "out"), [(1, 1), (3, 1), (5, 5)])
def test_convolutions_of_one_pixel_as_products(channels, out):
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(channels, 8, 1), nn.ReLU(), nn.Conv2d(8, out, 1)).requires_grad_(False)
    images = torch.randn(2, channels, 12, 20)
    assert torch.allclose(pointwise(layers, images), layers(images), atol=1e-5)


def test_the_generator_reads_them_so_where_it_translates_on_a_processor(monkeypatch):
    network, images = BilateralGenerator(features=8).eval().requires_grad_(False), torch.rand(1, 3, 64, 64) * 2 - 1
    network.head.weight.mul_(50)
    calls = []
    monkeypatch.setattr(
        "surgical_style_engine.networks.bilateral.read_curves", lambda *given: calls.append(1) or read_curves(*given)
    )
    fast = network(images)
    assert calls == [1]
    monkeypatch.setattr("surgical_style_engine.networks.bilateral.reads_plane_by_plane", lambda x: False)
    plain = network(images)
    assert calls == [1] and plain.std() > 0.05 and torch.allclose(fast, plain, atol=1e-5)
    network.train()(images)
    assert calls == [1]


def test_exporters_and_other_devices_get_plain_layers(monkeypatch):
    image = torch.zeros(1, 1, 2, 2)
    assert reads_plane_by_plane(image) and not reads_plane_by_plane(image.to("meta"))
    monkeypatch.setattr(tone_curves, "is_traced", lambda: True)
    assert not reads_plane_by_plane(image)
