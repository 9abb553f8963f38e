"""Terms of a paired training inside a mask, beside those that `sst train` has."""

from __future__ import annotations

import torch

from training_cli.training.optimisation.pair_terms import masked_mean, sharpness_term, ssim_term, windowed_moments

__all__ = ["correlation_term", "gradient_term", "masked_mean", "sharpness_term", "ssim_term"]


def gradient_term(made: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """L1 between finite differences along both axes."""
    total = 0.0
    for axis in (2, 3):
        inside = mask.narrow(axis, 1, mask.shape[axis] - 1) * mask.narrow(axis, 0, mask.shape[axis] - 1)
        total = total + masked_mean((made.diff(dim=axis) - real.diff(dim=axis)).abs(), inside)
    return total / 2


def correlation_term(made: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """1 - local correlation: structure whatever the tone."""
    a, b, aa, bb, ab = windowed_moments(made, real)
    va, vb = (aa - a * a).clamp(min=0) + 1e-3, (bb - b * b).clamp(min=0) + 1e-3
    return masked_mean(1 - (ab - a * b) / (va * vb).sqrt(), mask[:, 0])
