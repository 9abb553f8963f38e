"""What a translation is compared with its registered image by: L1, structural similarity and local sharpness."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from training_cli.training.config import TrainingConfig

from .displacement import displaced_target
from .losses import masked_l1

K1, K2 = 0.01, 0.03
WINDOW, SIGMA = 11, 1.5  # pixels
SHARPNESS_CELL = 8  # pixels a side


def pairs_term(
    config: TrainingConfig, translation: torch.Tensor, real: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """The supervised term, without ``lambda_pairs``: L1, ``lambda_ssim`` (1 - SSIM), ``lambda_sharpness`` sharpness.

    With ``pairs_tolerance`` the registered image is first moved to where it fits the translation best.

    Args:
        config: with the weights; a term of weight 0 is not computed.
        translation: (n, c, h, w), about [-1, 1].
        real: the registered image, as translation.
        weight: (n, 1, h, w), not zero where the two may be compared.

    Returns:
        A scalar, 0 where nothing may be compared.
    """
    translation = translation.float()
    if config.pairs_tolerance:
        reach = max(1, round(config.pairs_tolerance / config.spacing))
        real, weight = displaced_target(translation, real, weight, reach)
    loss = masked_l1(translation, real, weight)
    if config.lambda_ssim:
        loss = loss + config.lambda_ssim * ssim_term(translation, real, weight)
    if config.lambda_sharpness:
        loss = loss + config.lambda_sharpness * sharpness_term(translation, real, weight)
    return loss


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of values where mask, of the same shape, is not zero, weighted by it; 0 where it is zero everywhere."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def ssim_term(translation: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """1 - SSIM (Wang, Bovik, Sheikh, Simoncelli, IEEE Trans. Image Processing, 2004), averaged inside the mask.

    Args:
        translation: (n, c, h, w) in [-1, 1]; each channel counts as an image.
        real: as translation.
        mask: (n, 1, h, w), weights.

    Returns:
        A scalar from 0 (equal) to 2. The windows are Gaussian and see zeros beyond the image.
    """
    translation, mask = _channels_apart(translation, mask)
    translation, real = translation * 0.5 + 0.5, _channels_apart(real, mask)[0] * 0.5 + 0.5
    a, b, aa, bb, ab = windowed_moments(translation, real)
    va, vb, cov = (aa - a * a).clamp(min=0), (bb - b * b).clamp(min=0), ab - a * b
    value = ((2 * a * b + K1**2) * (2 * cov + K2**2)) / ((a * a + b * b + K1**2) * (va + vb + K2**2))
    return masked_mean(1 - value, mask[:, 0])


def sharpness_term(translation: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """L1 between the mean gradient magnitudes of 8 x 8 pixels: as sharp as the real image, wherever its edges lie.

    L1 alone answers what is uncertain, and what is off by a pixel, by blur; this term asks how much edge there is, not
    where, in the manner of statistics pooled over cells (Portilla and Simoncelli, Int. J. Computer Vision, 2000).

    Args:
        translation: (n, c, h, w) in [-1, 1]; each channel counts as an image.
        real: as translation.
        mask: (n, 1, h, w), weights.

    Returns:
        A scalar, 0 for equal images.
    """
    translation, weights = _channels_apart(translation, mask)
    real = _channels_apart(real, mask)[0]
    weights = weights[:, :, 1:, 1:]
    inside = F.avg_pool2d(weights, SHARPNESS_CELL)
    local = [F.avg_pool2d(_magnitude(image) * weights, SHARPNESS_CELL) for image in (translation, real)]
    return (local[0] - local[1]).abs().sum() / inside.sum().clamp(min=1)


def windowed_moments(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Local means of a, b, a a, b b and a b in a Gaussian window; (n, 1, h, w) each -> five of (n, h, w)."""
    return _windowed(torch.cat([a, b, a * a, b * b, a * b], 1)).unbind(1)


def _channels_apart(images: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, c, h, w) and weights (n, 1, h, w) -> (n c, 1, h, w) each."""
    if images.shape[1] == 1:
        return images, mask
    return images.flatten(0, 1).unsqueeze(1), mask.expand(-1, images.shape[1], -1, -1).flatten(0, 1).unsqueeze(1)


def _magnitude(x: torch.Tensor) -> torch.Tensor:
    down, right = x[:, :, 1:, 1:] - x[:, :, :-1, 1:], x[:, :, 1:, 1:] - x[:, :, 1:, :-1]
    return (down**2 + right**2 + 1e-4).sqrt() - 1e-2


def _windowed(x: torch.Tensor) -> torch.Tensor:
    offsets = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    kernel = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    kernel = kernel / kernel.sum()
    c = x.shape[1]
    x = F.conv2d(x, kernel.view(1, 1, 1, -1).expand(c, 1, 1, WINDOW), padding=(0, WINDOW // 2), groups=c)
    return F.conv2d(x, kernel.view(1, 1, -1, 1).expand(c, 1, WINDOW, 1), padding=(WINDOW // 2, 0), groups=c)
