"""Terms of a paired training inside a mask."""

from __future__ import annotations

import torch
from torch.nn import functional as F

K1, K2 = 0.01, 0.03
WINDOW, SIGMA = 11, 1.5


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)


def gradient_term(made: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """L1 between finite differences along both axes."""
    total = 0.0
    for axis in (2, 3):
        inside = mask.narrow(axis, 1, mask.shape[axis] - 1) * mask.narrow(axis, 0, mask.shape[axis] - 1)
        total = total + masked_mean((made.diff(dim=axis) - real.diff(dim=axis)).abs(), inside)
    return total / 2


def sharpness_term(made: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """L1 between the mean gradient magnitudes of 8 x 8 pixels: as sharp as the real image, wherever its edges lie."""
    inside = F.avg_pool2d(mask[:, :, 1:, 1:], 8)
    local = [F.avg_pool2d(_magnitude(image) * mask[:, :, 1:, 1:], 8) for image in (made, real)]
    return (local[0] - local[1]).abs().sum() / inside.sum().clamp(min=1)


def _magnitude(x: torch.Tensor) -> torch.Tensor:
    down, right = x[:, :, 1:, 1:] - x[:, :, :-1, 1:], x[:, :, 1:, 1:] - x[:, :, 1:, :-1]
    return (down**2 + right**2 + 1e-4).sqrt() - 1e-2


def ssim_term(made: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """1 - SSIM (Wang et al. 2004) inside the mask; images in [-1, 1]."""
    made, real = made * 0.5 + 0.5, real * 0.5 + 0.5
    both = _windowed(torch.cat([made, real, made * made, real * real, made * real], 1))
    a, b, aa, bb, ab = both.unbind(1)
    va, vb, cov = (aa - a * a).clamp(min=0), (bb - b * b).clamp(min=0), ab - a * b
    value = ((2 * a * b + K1**2) * (2 * cov + K2**2)) / ((a * a + b * b + K1**2) * (va + vb + K2**2))
    return masked_mean(1 - value, mask[:, 0])


def correlation_term(made: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """1 - local correlation: structure whatever the tone."""
    both = _windowed(torch.cat([made, real, made * made, real * real, made * real], 1))
    a, b, aa, bb, ab = both.unbind(1)
    va, vb = (aa - a * a).clamp(min=0) + 1e-3, (bb - b * b).clamp(min=0) + 1e-3
    return masked_mean(1 - (ab - a * b) / (va * vb).sqrt(), mask[:, 0])


def _windowed(x: torch.Tensor) -> torch.Tensor:
    offsets = torch.arange(WINDOW, dtype=x.dtype) - WINDOW // 2
    kernel = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    kernel = kernel / kernel.sum()
    c = x.shape[1]
    x = F.conv2d(x, kernel.view(1, 1, 1, -1).expand(c, 1, 1, WINDOW), padding=(0, WINDOW // 2), groups=c)
    return F.conv2d(x, kernel.view(1, 1, -1, 1).expand(c, 1, WINDOW, 1), padding=(WINDOW // 2, 0), groups=c)
