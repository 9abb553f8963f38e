"""Targets are moved to where the translation lies, and no further than they may."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from training_cli.training.optimisation.displacement import CELL, displaced_target, displacement


@pytest.fixture
def image() -> torch.Tensor:
    """(2, 1, 96, 80): smooth structure of some pixels' size."""
    draw = torch.Generator().manual_seed(1)
    return F.interpolate(torch.randn(2, 1, 24, 20, generator=draw), (96, 80), mode="bicubic") * 0.3


@pytest.fixture
def mask(image: torch.Tensor) -> torch.Tensor:
    known = torch.zeros_like(image)
    known[..., 10:86, 10:70] = 1
    return known


@pytest.mark.parametrize("offset", [(2, 0), (0, -3), (1, 2)])
def test_a_known_displacement_is_found(image, mask, offset):
    target = torch.roll(image, offset, (2, 3))
    field = displacement(image, target, mask, 3)
    middle = field[..., 32:64, 28:52].mean((0, 2, 3))
    assert torch.allclose(middle, torch.tensor(offset, dtype=torch.float32), atol=0.2)
    moved, known = displaced_target(image, target, mask, 3)
    before = ((image - target).abs() * mask).sum() / mask.sum()
    after = ((image - moved).abs() * known).sum() / known.sum()
    assert after < 0.1 * before
    assert known.sum() > 0.9 * mask.sum()


def test_other_tones_do_not_hide_it(image, mask):
    target = torch.roll(0.7 * image + 0.1, (2, 1), (2, 3))
    field = displacement(image, target, mask, 3)
    assert torch.allclose(field[..., 32:64, 28:52].mean((0, 2, 3)), torch.tensor([2.0, 1.0]), atol=0.5)


def test_what_lies_right_stays(image, mask):
    noisy = image + 0.05 * torch.randn(image.shape, generator=torch.Generator().manual_seed(2))
    assert displacement(image, noisy, mask, 3).abs().max() < 0.15


def test_where_nothing_can_be_seen_nothing_moves(image, mask):
    assert displacement(torch.zeros_like(image), torch.zeros_like(image), mask, 3).abs().max() < 1e-3
    assert torch.isfinite(displacement(image, image, torch.zeros_like(mask), 3)).all()


def test_no_further_than_the_reach(image, mask):
    target = torch.roll(image, (8, 0), (2, 3))
    assert displacement(image, target, mask, 2).abs().max() <= 2


def test_without_a_reach_nothing_changes(image, mask):
    moved, known = displaced_target(image, image + 1, mask, 0)
    assert torch.equal(moved, image + 1)
    assert known is mask


def test_weights_within_the_mask_are_kept(image, mask):
    weights = 2 * mask
    _, known = displaced_target(image, torch.roll(image, 1, 2), weights, 2)
    assert set(known.unique().tolist()) == {0.0, 2.0}


def test_no_gradient_passes_and_small_images_do(image):
    translation = torch.zeros(1, 3, CELL - 3, CELL + 5, requires_grad=True)
    target = torch.rand(1, 3, CELL - 3, CELL + 5)
    moved, known = displaced_target(translation, target, torch.ones(1, 1, CELL - 3, CELL + 5), 2)
    assert not moved.requires_grad
    assert known.shape == (1, 1, CELL - 3, CELL + 5)
