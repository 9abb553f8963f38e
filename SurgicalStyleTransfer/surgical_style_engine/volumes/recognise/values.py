"""What the voxels' values alone say: Hounsfield units, and whether only the brain is left."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.common.thresholds import HU_BELOW

from .patches import MOST_CUT, WorkingGrid

WHOLE, PART, SLICE = "whole", "part", "slice"
STORED_FROM = 1024.0  # what scanners add to HU so that no value is negative
_SOFT_TISSUE = (-150.0, 150.0)  # HU, fat to muscle and brain
_BONE = 300.0
_AIR_BELOW = -850.0  # HU, lungs and air with noise
LEAST_SOFT = 0.5  # share of what is not air that has to be soft tissue, for values stored from 0 on to be HU
LEAST_IN_HU = 0.3  # the same where there is air below 0, which says much already
LEAST_BONE = 0.005
LEAST_AROUND = 0.15  # share of air below which nothing is said of what surrounds the body
LEAST_SLICES = 4
_BRAIN_HU = (
    -20.0,
    15.0,
    50.0,
    100.0,
)  # 5th percentile at least, median between, 95th at most: fluid 0 to 15, brain 20 to 45
CONSTANT = 0.88  # share of one value in the air, from which on it was set, not measured
SKULL_DARK = 0.6  # of the brain's intensity: a shell below it is a skull's
_SHELLS = ((0.06, 0.12), (0.12, 0.18), (0.18, 0.24))  # shares of the largest depth, where a skull may lie
_BRAIN = 0.4


def hounsfield(grid: WorkingGrid) -> bool | None:
    """Whether values are Hounsfield units; None where they may be those of a brain without skull and air."""
    if in_hounsfield(grid) or stored_from_zero(grid):
        return True
    return None if may_be_brain_in_hounsfield(grid) else False


def in_hounsfield(grid: WorkingGrid) -> bool:
    """Whether values are HU: air about -1000, and much of soft tissue about 0, whatever else there is."""
    values = grid.volume.array[0]
    return float(values.min()) < _AIR_BELOW and _soft_share(values[values > HU_BELOW]) >= LEAST_IN_HU


def stored_from_zero(grid: WorkingGrid) -> bool:
    """Whether values may be HU with an offset, as unsigned files hold them: air at 0, much of one soft tissue, bone."""
    values = grid.volume.array[0]
    if float(values.min()) < 0:
        return False
    hounsfield = values - STORED_FROM
    tissue = hounsfield[hounsfield > HU_BELOW]
    if tissue.size < 100:
        return False
    return _soft_share(tissue) >= LEAST_SOFT and float(np.mean(tissue > _BONE)) >= LEAST_BONE


def may_be_brain_in_hounsfield(grid: WorkingGrid) -> bool:
    """Whether values may be HU of a brain without skull and air, also stored from 0 on; MR may have such by chance."""
    least, darkest, brightest, most = _BRAIN_HU
    percentiles = np.percentile(grid.volume.array[0][grid.body], (5, 50, 95))
    return any(
        bool(low >= least and darkest <= middle <= brightest and high <= most)
        for low, middle, high in (percentiles, percentiles - STORED_FROM)
    )


def seen(grid: WorkingGrid) -> str:
    """How much of the body is in the image: WHOLE, PART (sides cut through it) or SLICE (one, or fewer than a few)."""
    axis = grid.planes[0]
    body = np.moveaxis(grid.body, axis, 0)
    deepest = np.moveaxis(grid.depth, axis, 0).max(axis=(1, 2))
    slices = body[deepest >= 0.6 * deepest.max()]  # those that are looked at
    if len(body) < LEAST_SLICES or not len(slices):
        return SLICE
    sides = (slices[:, 0], slices[:, -1], slices[:, :, 0], slices[:, :, -1])
    return PART if max(float(side.mean()) for side in sides) > MOST_CUT else WHOLE


def _soft_share(hounsfield: np.ndarray) -> float:
    """Share of soft tissue among HU."""
    low, high = _SOFT_TISSUE
    return float(np.mean((hounsfield > low) & (hounsfield < high))) if hounsfield.size else 0.0


def is_extracted(grid: WorkingGrid) -> bool | None:
    """Whether only the brain is left of a head.

    Around an extracted brain everything has one value, and no dark skull lies below its rim.

    Args:
        grid: of a head.

    Returns:
        None where the air around is too little to tell, or the two signs contradict each other.
    """
    values, depth = grid.volume.array[0], grid.depth
    around, deepest = ~grid.body, float(grid.depth.max())
    if around.mean() < LEAST_AROUND or deepest <= 0:
        return None
    air = float(np.median(values[around]))
    span = float(np.percentile(values[grid.body], 99)) - air
    if span <= 0:
        return None
    constant = float(np.mean(np.abs(values[around] - air) < 1e-3 * span))
    share = depth / deepest
    brain = float(np.median(values[share > _BRAIN])) - air
    shells = [values[(share > low) & (share <= high)] for low, high in _SHELLS]
    if brain <= 0 or not all(shell.size for shell in shells):
        return None
    dark_skull = min(float(np.median(shell)) - air for shell in shells) < SKULL_DARK * brain
    if dark_skull or constant < CONSTANT:
        return False if dark_skull or constant < CONSTANT - 0.1 else None
    return True
