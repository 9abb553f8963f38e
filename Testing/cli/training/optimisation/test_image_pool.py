from __future__ import annotations

import torch

from training_cli.training.optimisation.image_pool import ImagePool


def pictures(start: int, count: int) -> torch.Tensor:
    return torch.arange(start, start + count, dtype=torch.float32).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def test_an_empty_pool_passes_images_through():
    batch = pictures(0, 3)
    assert torch.equal(ImagePool(0).query(batch), batch)


def test_a_full_pool_returns_old_images_about_half_the_time():
    pool = ImagePool(10, seed=1)
    pool.query(pictures(0, 10))
    old = sum(float(pool.query(pictures(100 + i, 1))[0, 0, 0, 0]) != 100 + i for i in range(200))
    assert 70 < old < 130


def test_state_restores_images_and_order():
    a = ImagePool(4, seed=3)
    a.query(pictures(0, 6))
    b = ImagePool(4, seed=99)
    b.load_state_dict(a.state_dict())
    for i in range(20):
        assert torch.equal(a.query(pictures(50 + i, 1)), b.query(pictures(50 + i, 1)))


def test_pooled_images_carry_no_gradient():
    image = torch.ones(1, 1, 2, 2, requires_grad=True)
    assert not ImagePool(2).query(image * 2).requires_grad
