"""Single slices at their full resolution: the cortex, by which a reader tells contrasts, is 2 to 4 mm wide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

from .features import blurred
from .fine_features import fine_features
from .patches import FINE_MM, FINE_SIDE, OUTSIDE, deep_patches, standardised, working_grid

AROUND = 25  # pixels of the box with whose mean ranks are compared
LARGEST_MM = 520.0  # of an image that may be a head's
SLICES = 3  # that are looked at, at most
PATCHES = 2  # of a slice that are measured: they overlap


def fine_looks(volume: Volume, axis: int) -> list[np.ndarray]:
    """Measure a few slices.

    Args:
        volume: (1, z, y, x) of any units.
        axis: that slices are taken across, 0 for z.

    Returns:
        (fine features,) of every slice that holds enough; none of what is too large for a head.
    """
    looks: list[np.ndarray] = []
    if max(count * step for count, step in zip(volume.size, volume.spacing, strict=True)) > LARGEST_MM:
        return looks
    size = volume.array.shape[axis + 1]
    taken = min(size, SLICES)
    for place in ((np.arange(taken) + 0.5) * size / taken).astype(int).tolist():
        array = np.ascontiguousarray(volume.array.take([place], axis + 1))
        try:
            measured = fine_features(fine_patches(replace(volume, array=array))[:PATCHES])
        except InputError:  # of one value
            continue
        looks += [] if measured is None else [measured]
    return looks


def fine_patches(volume: Volume) -> np.ndarray:
    """Take patches of one slice.

    Args:
        volume: (1, z, y, x) of any units, with one voxel along an axis.

    Returns:
        (n, 3, FINE_SIDE, FINE_SIDE) float32: values and ranks as ``patches.standardised`` gives them, and ``local``.

    Raises:
        InputError: for a constant volume.
    """
    patches = standardised(*deep_patches(working_grid(volume, FINE_MM), FINE_SIDE))
    return np.concatenate([patches, local(patches)[:, None]], axis=1)


def local(patches: np.ndarray) -> np.ndarray:
    """How much brighter than their surroundings pixels are: what receiving coils brighten on one side cancels.

    Args:
        patches: (n, 2, h, w) as ``patches.standardised`` gives them.

    Returns:
        (n, h, w) float32: ranks less their mean over AROUND pixels, in units of twice the spread of that; 0 outside.
    """
    ranks = np.asarray(patches[:, 1], np.float32)
    inside = (patches[:, 0] > OUTSIDE + 1e-3) & (ranks > -1)
    band = np.where(inside, ranks - blurred(ranks, inside, AROUND), 0)
    spread = np.sqrt((band**2).sum(axis=(1, 2)) / np.maximum(inside.sum(axis=(1, 2)), 1))
    return np.clip(band / np.maximum(2 * spread, 1e-6)[:, None, None], OUTSIDE, -OUTSIDE).astype(np.float32)
