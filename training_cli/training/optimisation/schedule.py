"""How much of a run's budget is used, and the learning rate that follows from it."""

from __future__ import annotations

from training_cli.training.config import TrainingConfig


def budget_used(config: TrainingConfig, step: int, minutes: float) -> float:
    """Share of the budget used, 0 at the start and 1 or more at the end.

    Of the steps, of the minutes (over all resumed parts), or of the one that runs out first.
    """
    shares = []
    if config.max_steps is not None:
        shares.append(step / config.max_steps)
    if config.max_minutes is not None:
        shares.append(minutes / config.max_minutes)
    return max(shares)


def learning_rate(config: TrainingConfig, progress: float) -> float:
    """Constant for ``constant_fraction`` of the budget, then linear to zero (as CycleGAN's 100 + 100 epochs)."""
    constant = config.constant_fraction
    if progress <= constant or constant >= 1:
        return config.learning_rate
    return config.learning_rate * max(0.0, (1 - progress) / (1 - constant))
