"""Histogram matching: the classic intensity transform, used as a floor that a style transfer has to beat."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.errors import InputError

QUANTILES = 2048


def histogram_match(
    source: np.ndarray,
    template: np.ndarray,
    source_mask: np.ndarray | None = None,
    template_mask: np.ndarray | None = None,
) -> np.ndarray:
    """Map the intensities of `source` so that their distribution inside the mask is the template's.

    source, template: arrays of any shapes and units. The monotone map takes each quantile of `source` to the same
    quantile of `template` (QUANTILES steps, linear between); it is applied to every voxel, constant beyond the
    values seen inside the mask. Returns float32 in the template's units, shape of `source`.
    """
    source = np.asarray(source, np.float32)
    values, wanted = _inside(source, source_mask, "source"), _inside(template, template_mask, "template")
    steps = np.linspace(0, 1, QUANTILES)
    from_levels = np.quantile(values, steps)
    to_levels = np.quantile(wanted, steps)
    # Equal quantiles (a constant background, integer data) need one value each: the mean of their targets.
    levels, position, count = np.unique(from_levels, return_inverse=True, return_counts=True)
    targets = np.bincount(position, weights=to_levels) / count
    return np.interp(source, levels, targets).astype(np.float32)


def _inside(array: np.ndarray, mask: np.ndarray | None, role: str) -> np.ndarray:
    array = np.asarray(array)
    values = array.ravel() if mask is None else array[np.broadcast_to(np.asarray(mask, bool), array.shape)]
    if values.size == 0:
        raise InputError(f"Histogram matching: the {role} mask is empty.")
    return values
