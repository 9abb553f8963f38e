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
    """Map the intensities of ``source`` so that their distribution inside the mask is the template's.

    The monotone map takes each quantile of ``source`` to the same quantile of ``template`` (QUANTILES steps, linear
    between); it is applied to every voxel, constant beyond the values seen inside the mask.

    Args:
        source: Of any shape and units.
        template: Of any shape and units.
        source_mask: Which of the source's voxels count; broadcast to its shape.
        template_mask: The same of the template.

    Returns:
        float32 in the template's units, shape of ``source``.

    Raises:
        InputError: For an empty mask.

    Example:
        >>> histogram_match(np.array([0, 1, 2]), np.array([10, 20, 30])).tolist()
        [10.0, 20.0, 30.0]
    """
    source = np.asarray(source, np.float32)
    values, template_values = _inside(source, source_mask, "source"), _inside(template, template_mask, "template")
    steps = np.linspace(0, 1, QUANTILES)
    from_levels = np.quantile(values, steps)
    to_levels = np.quantile(template_values, steps)
    # Equal quantiles (a constant background, integer data) need one value each: the mean of their targets.
    levels, position, count = np.unique(from_levels, return_inverse=True, return_counts=True)
    targets = np.bincount(position, weights=to_levels) / count
    return np.interp(source, levels, targets).astype(np.float32)


def _inside(array: np.ndarray, mask: np.ndarray | None, role: str) -> np.ndarray:
    """(n,) values inside the mask; role: for the sentence of InputError."""
    array = np.asarray(array)
    values = array.ravel() if mask is None else array[np.broadcast_to(np.asarray(mask, bool), array.shape)]
    if values.size == 0:
        raise InputError(f"Histogram matching: the {role} mask is empty.")
    return values
