"""Initial weights of the CycleGAN paper: normal with standard deviation 0.02."""

from __future__ import annotations

from torch import nn


def initialise(network: nn.Module, deviation: float = 0.02) -> nn.Module:
    """Draw convolution and linear weights from N(0, deviation), biases zero; returns the network."""
    if any(weight.is_meta for weight in network.parameters()):
        return network  # without values; drawing none would import torch's compiler, which takes a second
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, deviation)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, deviation)
            nn.init.zeros_(module.bias)
    return network
