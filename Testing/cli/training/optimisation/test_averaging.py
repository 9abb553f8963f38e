from __future__ import annotations

import pytest
import torch

from training_cli.training.optimisation.averaging import WeightAverage


def number(value: float) -> torch.nn.Linear:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, value)
    return network


def test_the_first_steps_are_forgotten_quickly_and_later_ones_slowly():
    average = WeightAverage(number(0.0), decay=0.5)
    average.update_parameters(number(1.0))  # decay (1 + 0) / (10 + 0)
    assert average.module.weight.item() == pytest.approx(0.9)
    for _ in range(20):
        average.update_parameters(number(1.0))
    before = average.module.weight.item()
    average.update_parameters(number(3.0))  # by now the decay is 0.5
    assert average.module.weight.item() == pytest.approx((before + 3.0) / 2)


def test_it_is_to_the_bit_the_average_of_version_0_1_0():
    """Whose models and checkpoints were made by a lerp with weight 1 - min(decay, (1 + n) / (10 + n))."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3))
    average = WeightAverage(network, 0.95)
    expected = [p.detach().clone() for p in network.parameters()]
    for step in range(200):
        for parameter in network.parameters():
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
        average.update_parameters(network)
        torch._foreach_lerp_(
            expected, [p.detach() for p in network.parameters()], 1 - min(0.95, (1 + step) / (10 + step))
        )
    assert all(torch.equal(a, b) for a, b in zip(average.module.parameters(), expected, strict=True))
    assert average.updates == 200


def test_the_average_is_apart_from_the_network_and_needs_no_gradient():
    network = number(2.0)
    average = WeightAverage(network, 0.9)
    torch.nn.init.constant_(network.weight, 5.0)
    assert average.module.weight.item() == 2.0
    assert not average.module.weight.requires_grad and not average.module.training


def test_buffers_are_copied_as_they_are():
    network = torch.nn.BatchNorm2d(2)
    average = WeightAverage(network, 0.999)
    network(torch.randn(4, 2, 3, 3) + 7)
    average.update_parameters(network)
    assert torch.equal(average.module.running_mean, network.running_mean) and network.running_mean.min() > 0.5
    assert average.module.num_batches_tracked.item() == 1


def test_the_state_restores_weights_and_decay():
    first, second = (WeightAverage(number(0.0), 0.99) for _ in range(2))
    for value in (1.0, 2.0, 3.0):
        first.update_parameters(number(value))
    second.restore(first.checkpoint())
    for average in (first, second):
        average.update_parameters(number(9.0))
    assert first.module.weight.item() == second.module.weight.item() and second.updates == 4
