"""Terms that stand images which lie on each other only roughly."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from surgical_style_engine.networks import build_generator
from training_cli.training.optimisation.pair_terms import sharpness_term
from training_cli.training.optimisation.tolerant import (
    air_term,
    begin_with_one_curve,
    distribution_distance,
    moved_towards,
    tolerant_loss,
)


def blobs(seed: int = 0, size: int = 96, channels: int = 1) -> torch.Tensor:
    """A smooth random image (1, channels, size, size) in about [-1, 1]."""
    noise = torch.randn(1, channels, size // 8, size // 8, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise * 0.4, size=size, mode="bicubic", align_corners=False).clamp(-1, 1)


def everywhere(image: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(image[:, :1])


@pytest.mark.parametrize("shift", [(4, 0), (0, -5), (3, 4)])
def test_a_displacement_is_found_and_undone(shift):
    made = blobs()
    real = torch.roll(made, shift, (2, 3))
    moved, inside = moved_towards(made, real, everywhere(made))
    middle = (slice(None), slice(None), slice(16, -16), slice(16, -16))
    before, after = ((x - made).abs()[middle].mean() for x in (real, moved))
    assert after < 0.35 * before and inside[middle].mean() > 0.99


def test_an_image_in_place_stays_there():
    made = blobs()
    moved, _ = moved_towards(made, made * 0.5 + 0.2, everywhere(made))
    assert (moved - (made * 0.5 + 0.2)).abs().mean() < 0.02


def test_nothing_is_compared_outside_of_the_weight():
    made, real = blobs(0, channels=3).requires_grad_(), blobs(1, channels=3)
    weight = everywhere(made).clone().detach()
    weight[..., :48] = 0
    changed = real.clone()
    changed[..., :40] = 0.9
    losses = []
    for image in (real, changed):
        torch.manual_seed(2)
        losses.append({name: float(value.detach()) for name, value in tolerant_loss(made, image, weight).items()})
    assert losses[0]["pairs"] == pytest.approx(losses[1]["pairs"], rel=0.05)
    nothing = tolerant_loss(made, real, torch.zeros_like(weight))
    assert all(float(value.detach()) == 0 for value in nothing.values())
    sum(nothing.values()).backward()
    assert torch.isfinite(made.grad).all()


def test_a_distribution_does_not_mind_where_things_are():
    made, inside = blobs(), torch.ones(1, 1, 96, 96)
    assert float(distribution_distance(made, made.flip(3).flip(3), inside)) == 0
    shuffled = made.flatten()[torch.randperm(made.numel(), generator=torch.Generator().manual_seed(1))].view_as(made)
    torch.manual_seed(0)
    paler = float(distribution_distance(made, made * 0.3, inside))
    torch.manual_seed(0)
    brighter = float(distribution_distance(made, made + 0.25, inside))
    assert brighter == pytest.approx(0.25, abs=1e-5) and paler > 0.05
    turned = made[:, :, :32, :32], torch.rot90(made[:, :, :32, :32], 1, (2, 3))
    assert float(distribution_distance(*turned, inside[:, :, :32, :32])) < 1e-6
    assert float((made - shuffled).abs().mean()) > 0.1


def test_sharpness_falls_with_blur():
    sharp, inside = torch.where(blobs() > 0, 0.6, -0.6), torch.ones(1, 1, 96, 96)
    soft = F.avg_pool2d(sharp, 5, 1, 2)
    assert float(sharpness_term(sharp, sharp, inside)) == 0
    assert float(sharpness_term(soft, sharp, inside)) > 0.02


def test_a_tone_is_learned_from_displaced_images():
    """One gain and offset of the wrong sign, from images displaced at random: near to what was asked."""
    gain, offset = torch.tensor(0.3, requires_grad=True), torch.tensor(0.4, requires_grad=True)
    optimizer = torch.optim.Adam([gain, offset], 0.05)
    random = torch.Generator().manual_seed(0)
    for step in range(80):
        source = blobs(step % 5)
        shift = torch.randint(-4, 5, (2,), generator=random).tolist()
        target = torch.roll(-0.8 * source - 0.1, shift, (2, 3))
        made = source * gain + offset
        # L1 first; before it has found the sign, the other terms would confirm the wrong one.
        terms = (
            tolerant_loss(made, target, everywhere(source)) if step >= 40 else {"pairs": (made - target).abs().mean()}
        )
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
    assert float(gain.detach()) == pytest.approx(-0.8, abs=0.2)
    assert float(offset.detach()) == pytest.approx(-0.1, abs=0.1)


def test_air_is_asked_for_where_both_have_it():
    source, real = torch.full((1, 1, 8, 8), -1.0), torch.full((1, 1, 8, 8), -1.0)
    source[..., :4], real[..., 4:6] = 0.5, 0.5
    made = torch.zeros(1, 1, 8, 8)
    made[..., 6:] = -0.5
    assert float(air_term(made, source, real)) == pytest.approx(0.5)
    assert float(air_term(made, torch.zeros_like(source), real)) == 0


def test_tone_curves_begin_with_the_one_that_fits():
    source = blobs(0, channels=3)
    torch.manual_seed(0)
    network = build_generator("bilateral", in_channels=3, out_channels=3).eval()
    real = -0.7 * source + 0.1

    def error() -> float:
        with torch.no_grad():
            return float((network(source) - real).abs().mean())

    before = error()
    begin_with_one_curve(network, source, real)
    assert error() < 0.5 * before
    other = torch.nn.Conv2d(3, 3, 1)
    weight = other.weight.clone()
    begin_with_one_curve(other, source, source)
    assert torch.equal(weight, other.weight)
    curves = network.head.bias.clone()
    begin_with_one_curve(network, source, -real)
    assert torch.equal(curves, network.head.bias), "what is begun or trained stays"
