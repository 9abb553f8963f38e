"""Where an image is judged: one rule for command line, panel and evaluation."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.errors import InputError


def judged_region(labels: np.ndarray | None, body: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """The region that metrics are taken from.

    That is the part of the labels inside the body, for air says nothing of a translation; the labels as they are where
    none of them is in the body; the body without labels. Of a reference that covers only part of the volume, what is
    inside its coverage.

    Args:
        labels: What was asked to be judged (a mask or labelmap): non-zero where it is, (z, y, x); None for all.
        body: The input's body mask, bool (z, y, x).
        valid: Where the reference has voxels, bool (z, y, x); None for everywhere or without a reference.

    Returns:
        Bool (z, y, x), a new array; empty only where ``valid`` leaves nothing.

    Raises:
        InputError: Labels without anything in them, or arrays of different sizes.

    >>> body = np.array([[[True, True, False]]])
    >>> judged_region(np.array([[[0, 2, 2]]]), body).tolist()
    [[[False, True, False]]]
    >>> judged_region(np.array([[[0, 0, 2]]]), body).tolist()
    [[[False, False, True]]]
    >>> judged_region(None, body, np.array([[[True, False, True]]])).tolist()
    [[[True, False, False]]]
    """
    body = np.asarray(body).astype(bool)
    region = body.copy()
    if labels is not None:
        inside = np.asarray(labels) != 0
        if inside.shape != body.shape:
            raise InputError(f"The mask has shape {inside.shape}, the volume {body.shape}.")
        if not inside.any():
            raise InputError("The mask is empty.")
        region &= inside
        if not region.any():
            region = inside
    if valid is not None:
        covered = np.asarray(valid).astype(bool)
        if covered.shape != body.shape:
            raise InputError(f"The reference's coverage has shape {covered.shape}, the volume {body.shape}.")
        region &= covered
    return region
