"""The terms that compare a translation with its registered image, on numbers that can be known."""

from __future__ import annotations

import pytest
import torch
from monai.metrics.regression import SSIMMetric
from tiny_methods import make_batch, make_method
from torch.nn import functional as F

from training_cli.training.config import load_config
from training_cli.training.optimisation.losses import masked_l1
from training_cli.training.optimisation.pair_terms import masked_mean, pairs_term, sharpness_term, ssim_term


def images(count: int = 2, channels: int = 1, side: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth noise, and the same with other noise, in [-1, 1]."""
    random = torch.Generator().manual_seed(5)
    first = F.avg_pool2d(torch.rand(count, channels, side + 4, side + 4, generator=random), 5, 1) * 2 - 1
    return first, (first + 0.2 * torch.randn(first.shape, generator=random)).clamp(-1, 1)


def configured(**settings):
    return load_config(None, {"source": "a", "target": "b", "output": "r", "max_steps": 1} | settings)


def test_ssim_is_that_of_the_article_as_another_library_computes_it():
    a, b = images()
    # Windows that lie within the image alone, as there.
    inner = torch.zeros_like(a)
    inner[..., 5:-5, 5:-5] = 1
    theirs = SSIMMetric(spatial_dims=2, data_range=1.0, win_size=11, kernel_sigma=1.5)(a * 0.5 + 0.5, b * 0.5 + 0.5)
    assert ssim_term(a, b, inner).item() == pytest.approx(1 - theirs.mean().item(), abs=1e-4)
    assert ssim_term(a, a, torch.ones_like(a)).item() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("term", [ssim_term, sharpness_term])
def test_outside_the_mask_nothing_counts_and_an_empty_mask_is_zero(term):
    a, b = images()
    mask = torch.zeros_like(a)
    mask[..., :24] = 1
    elsewhere = b.clone()
    elsewhere[..., 36:] = 1  # further away than a window reaches
    assert term(a, b, mask).item() > 0.01
    assert term(a, elsewhere, mask).item() == pytest.approx(term(a, b, mask).item(), rel=1e-6)
    assert term(a, b, mask * 0).item() == 0.0


@pytest.mark.parametrize("term", [ssim_term, sharpness_term])
def test_each_channel_counts_as_an_image(term):
    a, b = images(channels=3)
    mask = torch.ones_like(a[:, :1])
    mask[0, :, :10] = 0
    each = [term(a[:, c : c + 1], b[:, c : c + 1], mask).item() for c in range(3)]
    assert term(a, b, mask).item() == pytest.approx(sum(each) / 3, rel=1e-5)


def test_sharpness_is_blind_to_the_place_of_an_edge_and_sees_blur():
    """An edge of 1 beside another place in the same cell costs nothing; the same edge spread over pixels does."""
    real, moved, soft = (torch.full((1, 1, 33, 33), -0.5) for _ in range(3))
    real[..., 12:] += 1
    moved[..., 14:] += 1
    ones = torch.ones_like(real)
    noise = 0.5 * torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    assert (
        sharpness_term(moved, real, ones).item() == pytest.approx(0, abs=1e-6) and masked_l1(moved, real, ones) > 0.05
    )
    # Noise of which the mean over five pixels is left is a fifth as steep.
    soft = F.avg_pool2d(F.pad(noise, (2, 2, 2, 2), mode="reflect"), 5, 1)
    assert sharpness_term(soft, noise, ones).item() > 0.4
    assert sharpness_term(noise, noise, ones).item() == 0.0


def test_the_supervised_term_is_the_weighted_sum():
    a, b = images(channels=3)
    mask = torch.ones_like(a[:, :1])
    l1, ssim, sharp = masked_l1(a, b, mask), ssim_term(a, b, mask), sharpness_term(a, b, mask)
    assert torch.equal(pairs_term(configured(), a, b, mask), l1)  # as it was before there were others
    both = pairs_term(configured(lambda_ssim=0.3, lambda_sharpness=0.5), a, b, mask)
    assert both.item() == pytest.approx((l1 + 0.3 * ssim + 0.5 * sharp).item(), rel=1e-6)


@pytest.mark.parametrize("name", ["paired", "cyclegan", "cut"])
def test_methods_with_pairs_learn_from_these_terms(name):
    batch = make_batch()
    plain, more = (
        float(make_method(name, **settings).step(batch, 0.0, 1e-3)["pairs"])
        for settings in ({"pairs_warmup": 0.5}, {"pairs_warmup": 0.5, "lambda_ssim": 1.0, "lambda_sharpness": 1.0})
    )
    assert more > plain + 0.1


def test_the_supervised_term_falls():
    method, batch = make_method("paired", lambda_ssim=1.0, lambda_sharpness=1.0, lambda_adversarial=0.0), make_batch()
    values = [float(method.step(batch, 0.5, 1e-2)["pairs"]) for _ in range(12)]
    assert values[-1] < values[0]


def test_a_masked_mean_is_weighted():
    values, mask = torch.tensor([1.0, 4.0, 100.0]), torch.tensor([1.0, 2.0, 0.0])
    assert masked_mean(values, mask).item() == pytest.approx(3.0)


def test_pairs_that_lie_some_millimetres_off_cost_little_with_a_tolerance():
    coarse = torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1
    a = F.interpolate(coarse, (96, 96), mode="bicubic").clamp(-1, 1)
    off, mask = torch.roll(a, 2, 2), torch.zeros_like(a)
    mask[..., 8:-8, 8:-8] = 1
    strict, tolerant = (pairs_term(configured(pairs_tolerance=mm), a, off, mask) for mm in (0.0, 3.0))
    assert tolerant < 0.3 * strict
    # Of a network that works at 4 mm, 3 mm are a pixel, and the pair lies two off.
    assert pairs_term(configured(pairs_tolerance=3.0, spacing=4.0), a, off, mask) > 2 * tolerant
