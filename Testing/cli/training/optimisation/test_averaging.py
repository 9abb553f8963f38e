from __future__ import annotations

import pytest
import torch

from training_cli.training.optimisation.averaging import ExponentialMovingAverage


def number(value: float) -> torch.nn.Linear:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, value)
    return network


def test_the_first_steps_are_forgotten_quickly_and_later_ones_slowly():
    average = ExponentialMovingAverage(number(0.0), decay=0.5)
    average.update(number(1.0))  # decay (1 + 0) / (10 + 0)
    assert average.network.weight.item() == pytest.approx(0.9)
    for _ in range(20):
        average.update(number(1.0))
    before = average.network.weight.item()
    average.update(number(3.0))  # by now the decay is 0.5
    assert average.network.weight.item() == pytest.approx((before + 3.0) / 2)


def test_the_average_is_apart_from_the_network_and_needs_no_gradient():
    network = number(2.0)
    average = ExponentialMovingAverage(network, 0.9)
    torch.nn.init.constant_(network.weight, 5.0)
    assert average.network.weight.item() == 2.0
    assert not average.network.weight.requires_grad and not average.network.training


def test_buffers_are_copied_as_they_are():
    network = torch.nn.BatchNorm2d(2)
    average = ExponentialMovingAverage(network, 0.999)
    network(torch.randn(4, 2, 3, 3) + 7)
    average.update(network)
    assert torch.equal(average.network.running_mean, network.running_mean) and network.running_mean.min() > 0.5
    assert average.network.num_batches_tracked.item() == 1


def test_the_state_restores_weights_and_decay():
    first, second = (ExponentialMovingAverage(number(0.0), 0.99) for _ in range(2))
    for value in (1.0, 2.0, 3.0):
        first.update(number(value))
    second.load_state_dict(first.state_dict())
    for average in (first, second):
        average.update(number(9.0))
    assert first.network.weight.item() == second.network.weight.item() and second.updates == 4
