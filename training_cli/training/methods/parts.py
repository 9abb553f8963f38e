"""What several methods share: discriminators, optimisers, one update, and the state of a checkpoint."""

from __future__ import annotations

import torch

from surgical_style_engine.networks import build_discriminator, discriminator_settings
from training_cli.training.config import TrainingConfig
from training_cli.training.optimisation.processes import average_gradients


def make_discriminator(config: TrainingConfig, channels: int, device) -> torch.nn.Module:
    """The discriminator that the settings describe, for images of so many channels."""
    shape = discriminator_settings(config.discriminator, config)
    return build_discriminator(config.discriminator, in_channels=channels, **shape).to(device)


def make_adam(config: TrainingConfig, parameters: list[torch.nn.Parameter], device) -> torch.optim.Adam:
    """Adam as the settings say, fused where torch has a kernel for that."""
    fused = torch.device(device).type in ("cuda", "cpu") and hasattr(torch, "_fused_adam_")
    return torch.optim.Adam(parameters, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=fused)


def set_rate(learning_rate: float, *optimizers: torch.optim.Optimizer) -> None:
    """Give every group of parameters this learning rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate


def update(optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter], loss: torch.Tensor) -> None:
    """One step down the gradient of ``loss``, averaged over the processes; none where it depends on nothing."""
    optimizer.zero_grad(set_to_none=True)
    if loss.requires_grad:
        loss.backward()
    average_gradients(parameters)
    optimizer.step()


def trained_state(method) -> dict:
    """What a checkpoint keeps of a method's networks(), averages, optimizer_g and optimizer_d (None is left empty)."""
    return {
        "networks": {name: network.state_dict() for name, network in method.networks().items()},
        "averages": {name: average.state_dict() for name, average in method.averages.items()},
        "optimizer_g": method.optimizer_g.state_dict(),
        "optimizer_d": method.optimizer_d.state_dict() if method.optimizer_d else {},
    }


def load_trained_state(method, state: dict) -> None:
    """Put back what ``trained_state`` gave."""
    for name, network in method.networks().items():
        network.load_state_dict(state["networks"][name])
    for name, average in method.averages.items():
        average.load_state_dict(state["averages"][name])
    method.optimizer_g.load_state_dict(state["optimizer_g"])
    if method.optimizer_d:
        method.optimizer_d.load_state_dict(state["optimizer_d"])
