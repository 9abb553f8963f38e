from __future__ import annotations

import torch
from tiny_methods import make_batch, make_method

from training_cli.training.config import load_config
from training_cli.training.optimisation.optimizers import make_adam, update

CONFIG = load_config(None, {"source": "a", "target": "b", "output": "r", "max_steps": 1, "learning_rate": 0.1})


def test_without_decay_it_is_adam_to_the_bit_and_with_it_kernels_alone_shrink():
    weights = {}
    for decay in (0.0, 0.5):
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 3)
        optimizer = make_adam(CONFIG, list(layer.parameters()), "cpu", fused=True, weight_decay=decay)
        for _ in range(3):
            update(optimizer, list(layer.parameters()), layer(torch.ones(1, 3)).sum())
        weights[decay] = layer
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 3)
    adam = torch.optim.Adam(layer.parameters(), lr=0.1, betas=(CONFIG.beta1, CONFIG.beta2), fused=True)
    for _ in range(3):
        update(adam, list(layer.parameters()), layer(torch.ones(1, 3)).sum())
    assert torch.equal(weights[0.0].weight, layer.weight) and torch.equal(weights[0.0].bias, layer.bias)
    assert torch.equal(weights[0.5].bias, layer.bias) and not torch.equal(weights[0.5].weight, layer.weight)
    # The gradient is the same whatever the weights are: each step takes a twentieth of them, then the same again.
    torch.manual_seed(0)
    expected = torch.nn.Linear(3, 3).weight.detach()
    step = (layer.weight.detach() - expected) / 3
    for _ in range(3):
        expected = expected * (1 - 0.1 * 0.5) + step
    torch.testing.assert_close(weights[0.5].weight.detach(), expected)


def test_generators_decay_and_discriminators_do_not():
    method = make_method("cyclegan", weight_decay=0.25)
    method.step(make_batch(), 0.5, 1e-3)
    assert [group["weight_decay"] for group in method.optimizer_g.param_groups] == [0.25, 0.0]
    assert all(p.ndim > 1 for p in method.optimizer_g.param_groups[0]["params"])
    assert [group["weight_decay"] for group in method.optimizer_d.param_groups] == [0]
