"""Terms of a paired training inside a mask, beside those that `sst train` has."""

from __future__ import annotations

import torch

from training_cli.training.optimisation.pair_terms import masked_mean, sharpness_term, ssim_term, windowed_moments

__all__ = ["correlation_term", "gradient_term", "masked_mean", "mind_term", "sharpness_term", "ssim_term"]


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


def mind(image: torch.Tensor, spread: float = 1.0) -> torch.Tensor:
    """Modality-independent neighbourhood descriptor of a slice (n, 1, h, w): (n, 4, h, w), Heinrich et al. 2012.

    Distances of the patch (Gaussian, ``spread`` pixels) to those two pixels above, below, left and right of it, by
    their own mean: what is an edge, whatever its sign.
    """
    taps = torch.exp(-(torch.arange(-2.0, 3.0) ** 2) / (2 * spread**2))
    kernel = (taps[:, None] * taps) / taps.sum() ** 2
    distances = []
    for offset in ((2, 0), (-2, 0), (0, 2), (0, -2)):
        square = (image - torch.roll(image, offset, (2, 3))) ** 2
        distances.append(torch.nn.functional.conv2d(square, kernel[None, None], padding=2))
    joined = torch.cat(distances, 1)
    variance = joined.mean(1, keepdim=True).clamp(min=1e-3)
    return torch.exp(-joined / variance)


def mind_term(made: torch.Tensor, source: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of the descriptors of a translation and of what it was made from."""
    with torch.no_grad():
        wanted = mind(source)
    return masked_mean((mind(made) - wanted).abs().mean(1, keepdim=True), mask)
