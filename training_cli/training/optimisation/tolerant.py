"""What may be asked of a translation by an image of another patient that lies on it only roughly.

Two images whose tissues are a centimetre apart agree in what is bright where, in how bright it is within a
neighbourhood, and in how sharp it is; not pixel by pixel. So the other image is first moved towards the translation,
window by window, as far as its pattern is found again there; then compared pixel by pixel with L1, and
by what the windows hold.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from surgical_style_engine.common.thresholds import BODY_FROM
from surgical_style_engine.networks.bilateral import BilateralGenerator

from .pair_terms import sharpness_term

REACH = 4  # pixels at half resolution that a window is moved at most
CORRELATED = 11  # pixels at half resolution within which patterns are compared
CELL = 4  # pixels at half resolution of a displacement of its own, before smoothing
PENALTY = 0.02  # correlation that a displacement by one pixel has to gain
SOFTNESS = 30.0  # the best displacement is a mean weighted by exp(SOFTNESS * correlation)
WINDOW = 32  # pixels a side of the windows whose distributions are compared
LEAST_INSIDE = 0.4  # of a window


def tolerant_loss(
    translation: torch.Tensor, real: torch.Tensor, weight: torch.Tensor, move: bool = True
) -> dict[str, torch.Tensor]:
    """Compare translations with images of other patients that were registered to them.

    Args:
        translation: (n, c, h, w) in [-1, 1], gradients flow into it.
        real: the same, of the other patients.
        weight: (n, 1, h, w), zero where there is nothing to compare.
        move: whether the other images are moved first. Only once it is known which tissue is bright: what still looks
            like the source finds itself confirmed, for its windows correlate somewhere with anything.

    Returns:
        "pairs": L1; "distribution": of the values within windows; "sharpness": of gradient
        magnitudes within blocks.
    """
    moved, inside = moved_towards(translation, real, weight) if move else (real, (weight > 0).to(translation.dtype))
    return {
        "pairs": ((translation - moved).abs() * inside).sum() / inside.expand_as(translation).sum().clamp(min=1),
        "distribution": distribution_distance(translation, moved, inside),
        "sharpness": sharpness_term(translation, moved, inside),
    }


def air_term(translation: torch.Tensor, source: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """L1 to air where the input is air and the other patient's image is, too: nothing else is said of that place.

    Args:
        translation: translations (n, c, h, w).
        source: what they are translations of, (n, c', h, w), air -1.
        real: images of the other patients, air -1.
    """
    air = ((source.amax(1, keepdim=True) <= BODY_FROM) & (real.amax(1, keepdim=True) <= BODY_FROM)).to(
        translation.dtype
    )
    return ((translation + 1).abs() * air).sum() / air.expand_as(translation).sum().clamp(min=1)


def begin_with_one_curve(network: torch.nn.Module, source: torch.Tensor, real: torch.Tensor) -> None:
    """Let a new generator of tone curves begin with the one that fits best; others are left as they are.

    Args:
        network: a bilateral generator, or another one. One that has curves already, begun or trained, keeps them.
        source: images (n, c, h, w) in [-1, 1].
        real: what they are to become, the same shape.
    """
    if not isinstance(network, BilateralGenerator) or source.shape != real.shape:
        return
    if bool(network.head.get_parameter("bias").any()):
        return
    bins = network.bins
    places = (source.flatten() * 0.5 + 0.5).clamp(0, 1) * (bins - 1)
    hats = (1 - (places[:, None] - torch.arange(bins, device=source.device)).abs()).clamp(min=0)
    network.begin_with((hats.T @ real.flatten()) / (hats.sum(0) + 1e-3))


@torch.no_grad()
def moved_towards(
    translation: torch.Tensor, real: torch.Tensor, weight: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Move images by smooth displacements of at most 2 * REACH pixels to where they correlate best with others.

    Args:
        translation: (n, c, h, w), whose middle channel decides.
        real: the images to move, the same shape.
        weight: (n, 1, h, w), zero where there is nothing to compare.

    Returns:
        The moved images, and where they may be compared, (n, 1, h, w) of 0 and 1.
    """
    n, c, h, w = translation.shape
    known = (weight > 0).to(translation.dtype)
    half = F.avg_pool2d(known, 2)
    shown = [F.avg_pool2d(x[:, c // 2 : c // 2 + 1], 2) for x in (translation, real)]
    pattern, other = (_standardised(x, half) for x in shown)
    high, wide = pattern.shape[-2:]
    around = F.pad(other, (REACH,) * 4)
    shifts, gains = [], []
    for down in range(-REACH, REACH + 1):
        for right in range(-REACH, REACH + 1):
            length = (down**2 + right**2) ** 0.5
            if length <= REACH:
                shifted = around[:, :, REACH + down : REACH + down + high, REACH + right : REACH + right + wide]
                shifts.append((down, right))
                gains.append(F.avg_pool2d(pattern * shifted, CELL, ceil_mode=True) - PENALTY * length)
    gain = F.avg_pool2d(torch.cat(gains, 1), 3, 1, 1)
    odds = torch.softmax(SOFTNESS * gain, 1)
    steps = 2 * torch.tensor(shifts, dtype=translation.dtype, device=translation.device)
    field = torch.einsum("nkhw,kc->nchw", odds, steps)
    field = F.avg_pool2d(F.pad(field, (1, 1, 1, 1), mode="replicate"), 3, 1)
    field = F.interpolate(field, scale_factor=2.0 * CELL, mode="bilinear")[..., :h, :w]
    rows = torch.arange(h, device=translation.device).view(1, h, 1) + field[:, 0]
    columns = torch.arange(w, device=translation.device).view(1, 1, w) + field[:, 1]
    grid = torch.stack([(columns + 0.5) / w * 2 - 1, (rows + 0.5) / h * 2 - 1], -1)
    # Air is -1, and 0 beyond the edge.
    result = F.grid_sample(torch.cat([real + 1, known], 1), grid, align_corners=False)
    inside = known * (result[:, c:] > 0.99)
    return result[:, :c] - 1, torch.where(inside.sum((1, 2, 3), keepdim=True) > 0, inside, known)


def distribution_distance(translation: torch.Tensor, real: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Wasserstein-1 distance between the values within each window, which lie at random; mean over what is inside.

    Args:
        translation: (n, c, h, w).
        real: the same.
        inside: (n, 1, h, w) of 0 and 1.
    """
    size = min(WINDOW, *translation.shape[-2:])
    top, left = (int(torch.randint(0, max(1, min(size, length - size + 1)), ())) for length in translation.shape[-2:])
    n, c = translation.shape[:2]
    known = _windows(inside[:, :, top:, left:].expand(n, c, -1, -1), size) > 0
    chosen = known.float().mean(-1) > LEAST_INSIDE
    known = known[chosen]
    if not len(known):
        return translation.sum() * 0
    # What is outside is equal in both, and sorted to one end.
    values = [
        torch.where(known, _windows(x[:, :, top:, left:], size)[chosen], -2.0).sort(-1).values
        for x in (translation, real)
    ]
    return (values[0] - values[1]).abs().sum() / known.sum()


def _standardised(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Images less their local mean, over their local deviation; 0 where the weight is 0."""

    def local(values: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(values, CORRELATED, 1, CORRELATED // 2)

    total = local(weight) + 1e-3
    mean = local(x * weight) / total
    variance = local(x * x * weight) / total - mean**2
    return (x - mean) * weight / (variance.clamp(min=0) + 1e-3).sqrt()


def _windows(x: torch.Tensor, size: int) -> torch.Tensor:
    """(n, c, h, w) -> (n * c * windows, size * size), what does not fill a window left out."""
    rows, columns = (length // size for length in x.shape[-2:])
    x = x[..., : rows * size, : columns * size]
    return x.reshape(-1, rows, size, columns, size).transpose(2, 3).reshape(-1, size * size)
