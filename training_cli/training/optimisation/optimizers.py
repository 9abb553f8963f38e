"""The optimiser, and one update by it that several processes make together."""

from __future__ import annotations

import torch

from training_cli.training.config import TrainingConfig

from .processes import average_gradients


def make_adam(
    config: TrainingConfig,
    parameters: list[torch.nn.Parameter],
    device: torch.device | str,
    fused: bool,
    weight_decay: float = 0.0,
) -> torch.optim.Adam:
    """Adam as the settings say.

    Args:
        config: with learning rate and betas.
        parameters: to train.
        device: where they are.
        fused: whether to use torch's own kernel, where it has one.
        weight_decay: of what has more than one axis, decoupled from the gradient (AdamW: Loshchilov and Hutter, ICLR
            2019); at 0 this is Adam to the bit.
    """
    fused = fused and torch.device(device).type in ("cuda", "cpu") and hasattr(torch, "_fused_adam_")
    betas = (config.beta1, config.beta2)
    if not weight_decay:
        return torch.optim.Adam(parameters, lr=config.learning_rate, betas=betas, fused=fused)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, fused=fused)


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
