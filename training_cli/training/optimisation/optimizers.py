"""The optimiser, and one update by it that several processes make together."""

from __future__ import annotations

import torch

from training_cli.training.config import TrainingConfig

from .processes import average_gradients


def make_adam(
    config: TrainingConfig, parameters: list[torch.nn.Parameter], device: torch.device | str, fused: bool
) -> torch.optim.Adam:
    """Adam as the settings say; ``fused`` where torch has a kernel for that."""
    fused = fused and torch.device(device).type in ("cuda", "cpu") and hasattr(torch, "_fused_adam_")
    return torch.optim.Adam(parameters, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=fused)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Give every group of parameters this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def update(optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter], loss: torch.Tensor) -> None:
    """One step down the gradient of ``loss``, averaged over the processes; none where it depends on nothing."""
    optimizer.zero_grad(set_to_none=True)
    if loss.requires_grad:
        loss.backward()
    average_gradients(parameters)
    optimizer.step()
