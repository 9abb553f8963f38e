"""Single slices at 1 mm as other scanners and users would have given them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as functional

from surgical_style_engine.volumes.recognise.fine import AROUND
from surgical_style_engine.volumes.recognise.patches import FINE_SIDE, OUTSIDE

from .fine_bank import ROOM

LEVELS = 1024  # of intensity, by which ranks are told
SHIFT = 22  # pixels that patches lie beside the middle, at most


def changed(values: torch.Tensor, depth: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Slices as other scanners would have given them, standardised.

    Args:
        values: (n, ROOM, ROOM).
        depth: (n, ROOM, ROOM), share of the largest.
        random: generator.

    Returns:
        (n, 3, FINE_SIDE, FINE_SIDE) as ``fine_features`` takes them.
    """
    count = len(values)

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=random)

    both = torch.stack([values, depth], dim=1)
    places = _places(count, uniform)
    turned = functional.grid_sample(both, places, mode="bilinear", padding_mode="zeros", align_corners=False)
    image, deep = turned[:, 0], turned[:, 1]
    inside = deep >= uniform(0.15, 0.3)
    image = _softened(image, uniform)
    image = _other_tone(image, uniform)
    image = image * torch.exp(_smooth_field(count, random) * uniform(0, 0.12))
    image = image + uniform(0, 0.18) ** 2 * torch.randn(image.shape, generator=random)
    _cut_off(inside, random)
    return standardised(image, inside)


def _places(count: int, uniform) -> torch.Tensor:
    """(n, side, side, 2) where in the cut slice a patch's pixels lie."""
    angle = uniform(-0.4, 0.4)[:, 0, 0] + (math.pi / 2) * torch.floor(uniform(0, 4)[:, 0, 0])
    zoom = torch.exp(uniform(-0.22, 0.22)[:, 0, 0]) * FINE_SIDE / ROOM
    flip = torch.sign(uniform(-1, 1)[:, 0, 0])
    stretch = torch.exp(uniform(-0.12, 0.12)[:, 0, 0])
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = zoom * stretch * torch.cos(angle) * flip, -zoom * torch.sin(angle)
    matrix[:, 1, 0], matrix[:, 1, 1] = zoom * stretch * torch.sin(angle) * flip, zoom * torch.cos(angle)
    for axis in range(2):
        matrix[:, axis, 2] = uniform(-1, 1)[:, 0, 0] * 2 * SHIFT / ROOM
    return functional.affine_grid(matrix, [count, 2, FINE_SIDE, FINE_SIDE], align_corners=False)


def _softened(image: torch.Tensor, uniform) -> torch.Tensor:
    """From sharpened to as soft as pixels of 2 mm would be."""

    def blurred(given: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(given[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
        rows = (padded[:, :-2] + padded[:, 2:]) / 4 + padded[:, 1:-1] / 2
        return (rows[..., :-2] + rows[..., 2:]) / 4 + rows[..., 1:-1] / 2

    soft = blurred(image)
    softer = blurred(blurred(soft))
    share = uniform(-0.6, 1.5)
    return image + share.clamp(max=1) * (soft - image) + (share - 1).clamp(min=0) * (softer - soft)


def _other_tone(image: torch.Tensor, uniform) -> torch.Tensor:
    """A gamma, two bends and a saturation, all of which keep the order of intensities."""
    gamma = torch.exp(uniform(-0.35, 0.35))
    image = torch.where(image > 0, image.clamp(1e-6, 2.5) ** gamma, image)
    within = image.clamp(0, 1)
    for waves in (1, 2):
        bend = uniform(-0.4, 0.4) / (2 * math.pi * waves)
        image = image + bend * torch.sin(2 * math.pi * waves * within)
        within = image.clamp(0, 1)
    return torch.minimum(image, 3.0 - uniform(0, 2.0))


def _smooth_field(count: int, random: torch.Generator) -> torch.Tensor:
    """Sums of three half waves along each axis."""
    places = torch.linspace(0, math.pi, FINE_SIDE)
    waves = torch.cos(torch.arange(3)[:, None] * places)
    return waves.T @ torch.randn(count, 3, 3, generator=random) @ waves / 2


def _cut_off(inside: torch.Tensor, random: torch.Generator) -> None:
    """Now and then a side of the patch lies beyond the field of view."""
    for index in torch.nonzero(torch.rand(len(inside), generator=random) < 0.2)[:, 0].tolist():
        width = int(torch.randint(8, FINE_SIDE // 2, (1,), generator=random))
        inside[index, :width] = False


def standardised(image: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """What ``surgical_style_engine.volumes.recognise.fine.fine_patches`` gives, to a level of LEVELS.

    Ranks are counted in a histogram, which is faster than sorting every patch.
    """
    count = len(image)
    flat, valid = image.reshape(count, -1), inside.reshape(count, -1)
    low = flat.masked_fill(~valid, torch.inf).amin(dim=1, keepdim=True)
    high = flat.masked_fill(~valid, -torch.inf).amax(dim=1, keepdim=True)
    size = valid.sum(dim=1, keepdim=True).clamp_min(1)
    level = ((flat - low) / (high - low).clamp_min(1e-6) * (LEVELS - 1)).round().clamp(0, LEVELS - 1).long()
    counts = torch.zeros(count, LEVELS).scatter_add_(1, level, valid.float())
    upto = counts.cumsum(dim=1)
    ranks = ((2 * upto - counts) / size).gather(1, level) - 1
    at = [torch.searchsorted(upto, share * (size - 1) + 1) for share in (0.02, 0.5, 0.98)]
    p02, p50, p98 = (low + (high - low) * place.clamp(max=LEVELS - 1) / (LEVELS - 1) for place in at)
    scaled = ((flat - p50) * (2 / (p98 - p02).clamp_min(1e-6))).clamp(OUTSIDE, -OUTSIDE)
    scaled, ranks = (part.reshape(image.shape) for part in (scaled, ranks))
    local = _local(ranks, inside)
    outside = ~inside
    layers = [scaled.masked_fill(outside, OUTSIDE), ranks.masked_fill(outside, -1.0), local.masked_fill(outside, 0.0)]
    return torch.stack(layers, dim=1).nan_to_num(0.0)


def _local(ranks: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """What ``surgical_style_engine.volumes.recognise.fine.local`` gives, for a batch at once."""
    weights = inside.float()
    mean = _box_sums(ranks * weights) / _box_sums(weights).clamp_min(1e-3 * AROUND * AROUND)
    band = (ranks - mean) * weights
    spread = torch.sqrt((band**2).sum(dim=(1, 2)) / weights.sum(dim=(1, 2)).clamp_min(1))[:, None, None]
    return (band / (2 * spread).clamp_min(1e-6)).clamp(OUTSIDE, -OUTSIDE)


def _box_sums(images: torch.Tensor) -> torch.Tensor:
    half = AROUND // 2
    sums = functional.pad(images, (half + 1, half, half + 1, half)).double().cumsum(1).cumsum(2)
    rows = sums[:, AROUND:] - sums[:, :-AROUND]
    return (rows[..., AROUND:] - rows[..., :-AROUND]).float()
