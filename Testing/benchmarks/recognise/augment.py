"""Patches of images as other scanners, readers and resolutions would have given them."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as functional

from surgical_style_engine.volumes.recognise.patches import OUTSIDE, SIDE

from .cohort import Grid

ROOM = 96  # pixels cut before turning and zooming


def cut(grid: Grid, random: np.random.Generator, thick: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """A slice's values and depth (ROOM, ROOM) about a place deep inside; sometimes the mean of two slices."""
    axis = int(random.choice(grid.planes))
    values, depth = np.moveaxis(grid.values, axis, 0), np.moveaxis(grid.depth, axis, 0)
    places = grid.places(axis)
    index, (mean, rows, columns) = places[int(random.integers(len(places)))]
    place = int(random.integers(len(rows)))
    share = float(random.uniform(0, 0.6))  # mostly near the middle of what is deep
    centre = [round(m + share * (float(p[place]) - m)) for m, p in zip(mean, (rows, columns), strict=True)]
    image = _about(values[index], centre, 0.0)
    if random.random() < thick and index + 1 < len(values):
        image = (image + _about(values[index + 1], centre, 0.0)) / 2
    return image, _about(depth[index], centre, 0.0)


def _about(image: np.ndarray, centre: list[int], beyond: float) -> np.ndarray:
    """(ROOM, ROOM) float32 about a pixel."""
    cut = np.full((ROOM, ROOM), beyond, np.float32)
    first = [place - ROOM // 2 for place in centre]
    taken = [slice(max(0, start), min(start + ROOM, size)) for start, size in zip(first, image.shape, strict=True)]
    put = [slice(part.start - start, part.stop - start) for part, start in zip(taken, first, strict=True)]
    cut[put[0], put[1]] = image[taken[0], taken[1]]
    return cut


def patches(values: torch.Tensor, depth: torch.Tensor, random: torch.Generator, strong: float = 1.0) -> torch.Tensor:
    """Turned, zoomed, with another tone, bias, noise and sharpness, standardised.

    Args:
        values: (n, ROOM, ROOM).
        depth: (n, ROOM, ROOM), share of the largest.
        random: generator.
        strong: how strong the changes are, 0 for none.

    Returns:
        (n, 2, SIDE, SIDE) as the network takes them.
    """
    count = len(values)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, *(shape or (1, 1)), generator=random)

    grid = _places(count, uniform, strong)
    both = torch.stack([values, depth], dim=1)
    turned = functional.grid_sample(both, grid, mode="bilinear", padding_mode="border", align_corners=False)
    image, deep = turned[:, 0], turned[:, 1]
    inside = deep >= uniform(0.25 - 0.1 * strong, 0.25 + 0.1 * strong)
    image = _other_sharpness(image, uniform(0, 1)[:, 0, 0], strong)
    image = _other_tone(image, uniform, strong)
    image = image * torch.exp(strong * _smooth_field(count, random) * uniform(0, 0.09))
    image = image + strong * uniform(0, 0.16) ** 2 * torch.randn(image.shape, generator=random)
    inside &= _cropped(count, random, strong)
    return standardised(image, inside)


def _places(count: int, uniform, strong: float) -> torch.Tensor:
    """(n, SIDE, SIDE, 2) where in the cut slice a patch's pixels lie."""
    angle = uniform(-0.5, 0.5)[:, 0, 0] * strong + (math.pi / 2) * torch.floor(uniform(0, 4)[:, 0, 0])
    zoom = torch.exp(strong * uniform(-0.25, 0.3)[:, 0, 0]) * SIDE / ROOM
    flip = torch.sign(uniform(-1, 1)[:, 0, 0])
    stretch = torch.exp(strong * uniform(-0.12, 0.12)[:, 0, 0])
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = zoom * stretch * torch.cos(angle) * flip, -zoom * torch.sin(angle)
    matrix[:, 1, 0], matrix[:, 1, 1] = zoom * stretch * torch.sin(angle) * flip, zoom * torch.cos(angle)
    return functional.affine_grid(matrix, [count, 2, SIDE, SIDE], align_corners=False)


def _other_sharpness(image: torch.Tensor, draw: torch.Tensor, strong: float) -> torch.Tensor:
    kernel = torch.tensor([0.25, 0.5, 0.25])
    blurred = functional.conv2d(
        functional.pad(image[:, None], (1, 1, 1, 1), mode="replicate"), (kernel[:, None] * kernel)[None, None]
    )[:, 0]
    share = strong * (draw * 1.6 - 0.6)[:, None, None]  # from sharpened to soft
    return image + share * (blurred - image)


def _other_tone(image: torch.Tensor, uniform, strong: float) -> torch.Tensor:
    """A gamma, a bend and a saturation, all of which keep the order of intensities."""
    gamma = torch.exp(strong * uniform(-0.35, 0.35))
    clipped = image.clamp(0, 2.5)
    image = torch.where(image > 0, (clipped.clamp_min(1e-6)) ** gamma, image)
    bend = strong * uniform(-0.12, 0.12) / (2 * math.pi)
    image = image + bend * torch.sin(2 * math.pi * image.clamp(0, 1))
    top = 3.0 - strong * uniform(0, 2.0)
    return torch.minimum(image, top)


def _smooth_field(count: int, random: torch.Generator) -> torch.Tensor:
    coarse = torch.randn(count, 1, 3, 3, generator=random)
    return functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic", align_corners=True)[:, 0]


def _cropped(count: int, random: torch.Generator, strong: float) -> torch.Tensor:
    """Now and then a side of the patch lies beyond the field of view."""
    inside = torch.ones(count, SIDE, SIDE, dtype=torch.bool)
    for index in torch.nonzero(torch.rand(count, generator=random) < 0.2 * strong)[:, 0].tolist():
        width = int(torch.randint(4, SIDE // 2, (1,), generator=random))
        inside[index, :width] = False
    return inside


def standardised(image: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """What ``surgical_style_engine.volumes.recognise.patches.standardised`` gives, for a batch at once."""
    count = len(image)
    flat, valid = image.reshape(count, -1), inside.reshape(count, -1)
    size = valid.sum(dim=1).clamp_min(1)
    beyond = flat.masked_fill(~valid, torch.inf)
    ordered, order = beyond.sort(dim=1)
    at = [(share * (size - 1)).long()[:, None] for share in (0.02, 0.5, 0.98)]
    low, middle, high = (ordered.gather(1, place) for place in at)
    scaled = ((flat - middle) * (2 / (high - low).clamp_min(1e-6))).clamp(OUTSIDE, -OUTSIDE)
    ranks = torch.empty_like(flat)
    ranks.scatter_(1, order, torch.arange(flat.shape[1], dtype=torch.float32).expand_as(flat).contiguous())
    ranks = (2 * ranks + 1) / size[:, None] - 1
    both = torch.stack([scaled.masked_fill(~valid, OUTSIDE), ranks.masked_fill(~valid, -1.0)], dim=1)
    return both.reshape(count, 2, SIDE, SIDE)
