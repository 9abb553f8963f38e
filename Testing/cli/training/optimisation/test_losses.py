from __future__ import annotations

import pytest
import torch

from training_cli.training.optimisation.losses import (
    adversarial_loss,
    discriminator_features,
    masked_l1,
    reconstruction_loss,
    spatial_domain_loss,
)


def test_least_squares_is_on_raw_scores():
    score = torch.full((1, 1, 4, 4), 3.0)
    assert adversarial_loss("least_squares")(score, True, False).item() == pytest.approx(4.0)
    assert adversarial_loss("least_squares")(score, False, True).item() == pytest.approx(9.0)


def test_cross_entropy_is_the_articles():
    score = torch.zeros(1, 1, 2, 2)
    assert adversarial_loss("bce")(score, True, False).item() == pytest.approx(0.6931, abs=1e-3)


def test_reconstruction_norms():
    a, b = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 3.0)
    assert reconstruction_loss("l1", a, b).item() == 3.0
    assert reconstruction_loss("l2", a, b).item() == 9.0


def test_masked_l1_averages_inside_only_and_survives_an_empty_mask():
    a, b = torch.zeros(1, 2, 2, 2), torch.ones(1, 2, 2, 2)
    b[..., 0, 0] = 100
    weight = torch.ones(1, 1, 2, 2)
    weight[..., 0, 0] = 0
    assert masked_l1(a, b, weight).item() == pytest.approx(1.0)
    assert masked_l1(a, b, weight * 0).item() == 0.0


def test_spatial_domain_loss_is_zero_for_equal_sets_in_any_order_and_grows_with_the_shift():
    torch.manual_seed(0)
    real = [torch.randn(1, 8, 16, 16)]
    shuffled = [real[0].flatten(2)[:, :, torch.randperm(256)].reshape(1, 8, 16, 16)]
    assert spatial_domain_loss(shuffled, real).item() == pytest.approx(0.0, abs=1e-5)
    near, far = ([real[0] + shift] for shift in (0.2, 2.0))
    assert 0 < spatial_domain_loss(near, real).item() < spatial_domain_loss(far, real).item()


def test_spatial_domain_loss_sends_gradient_into_the_fake_side():
    fake = torch.zeros(1, 4, 8, 8, requires_grad=True)
    spatial_domain_loss([fake], [torch.randn(1, 4, 8, 8)]).backward()
    assert fake.grad.abs().sum() > 0


def test_features_are_one_map_an_activation_and_hooks_are_gone():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.LeakyReLU(0.2),
        torch.nn.Conv2d(4, 8, 3),
        torch.nn.LeakyReLU(0.2),
        torch.nn.Conv2d(8, 1, 3),
    )
    features, score = discriminator_features(network, torch.randn(2, 1, 12, 12))
    assert [f.shape[1] for f in features] == [4, 8] and score.shape[1] == 1
    assert all(not m._forward_hooks for m in network.modules())
