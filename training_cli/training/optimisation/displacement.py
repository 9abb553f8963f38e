"""Pairs that do not lie quite on each other: the target is moved to where the translation lies, by what fits best.

The idea is RegGAN's (Kong et al., NeurIPS 2021), which learns the displacement by a network of its own. Here it is
estimated anew in every step by block matching, which needs no training and cannot drift.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

CELL = 16  # pixels a side of the blocks that are matched
SHARPNESS = 60.0  # of the choice: of two errors that differ by 0.05, the lower counts 20 times as much
PULL = 0.004  # error that a displacement by one pixel has to save before it is believed


@torch.no_grad()
def displaced_target(
    translation: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, reach: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Move a target by up to ``reach`` pixels, smoothly, to where the translation lies.

    For every block the mean absolute difference is taken at all whole displacements; the displacement is the mean of
    them, weighted by how well they fit, and is smoothed over neighbouring blocks. No gradient passes.

    Args:
        translation: (n, c, h, w).
        target: (n, c, h, w).
        mask: (n, 1, h, w), where the target is known; above 0.
        reach: largest displacement along rows and columns, in pixels; 0 changes nothing.

    Returns:
        (target, mask) moved; of the mask, only what lay within it.
    """
    if reach < 1:
        return target, mask
    field = displacement(translation, target, mask, reach)
    n, _, h, w = target.shape
    rows, columns = (torch.linspace(-1, 1, length, device=field.device) for length in (h, w))
    base = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).to(field.dtype)
    scale = torch.tensor([2 / max(w - 1, 1), 2 / max(h - 1, 1)], device=field.device, dtype=field.dtype)
    grid = base[None].expand(n, h, w, 2) + field.permute(0, 2, 3, 1).flip(-1) * scale
    moved = F.grid_sample(target, grid, padding_mode="border", align_corners=True)
    known = F.grid_sample((mask > 0).to(target.dtype), grid, align_corners=True)
    return moved, torch.where(known > 0.99, mask, torch.zeros_like(mask))


def displacement(translation: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, reach: int) -> torch.Tensor:
    """(n, 2, h, w): by how many rows and columns the target's value for a pixel lies beside it."""
    h, w = target.shape[-2:]
    known = (mask > 0).to(target.dtype)
    values = F.pad(target, (reach,) * 4, mode="replicate")
    weights = F.pad(known, (reach,) * 4)
    shifts = [(row, column) for row in range(-reach, reach + 1) for column in range(-reach, reach + 1)]
    costs = []
    for row, column in shifts:
        rows, columns = slice(reach + row, reach + row + h), slice(reach + column, reach + column + w)
        both = known * weights[:, :, rows, columns]
        difference = (translation - values[:, :, rows, columns]).abs().mean(1, keepdim=True) * both
        cost = _blocks(difference) / _blocks(both).clamp(min=1e-3)
        costs.append(cost + PULL * (row * row + column * column) ** 0.5)
    fit = torch.softmax(-SHARPNESS * torch.cat(costs, 1), 1)
    moves = torch.tensor(shifts, device=fit.device, dtype=fit.dtype)
    coarse = _smoothed(torch.einsum("nshw,sd->ndhw", fit, moves))
    return F.interpolate(coarse, (h, w), mode="bilinear", align_corners=False)


def _blocks(x: torch.Tensor) -> torch.Tensor:
    """Means over blocks and their neighbours."""
    return _smoothed(F.avg_pool2d(x, CELL, ceil_mode=True, count_include_pad=False))


def _smoothed(x: torch.Tensor) -> torch.Tensor:
    """Means of 3 x 3."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
