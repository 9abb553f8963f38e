"""The worst slices of a volume, by name and by place, so that a person can go and look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.volume import Volume

from .registry import of_slices

COUNT = 3
NAMED = ("semantic_consistency", "look_ahead", "psnr")  # keys of a report's ``slices`` that say where it went wrong


def worst_slices(values: Sequence[float | None], low_is_good: bool, count: int = COUNT) -> list[int]:
    """Numbers of the ``count`` worst values, worst first.

    Neighbours of one already named say little new: they keep a distance of a sixteenth of all slices, two at least.

    >>> worst_slices([0.9, 0.1, 0.2, None, 0.5, 0.8], low_is_good=False, count=2)
    [1, 4]
    """
    apart = max(2, len(values) // 16)
    order = sorted((-value if low_is_good else value, index) for index, value in enumerate(values) if value is not None)
    worst: list[int] = []
    for _, index in order:
        if len(worst) < count and all(abs(index - other) >= apart for other in worst):
            worst.append(index)
    return worst


def named_slices(volume: Volume, quality: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The worst slices that a volume's metrics name, those of one metric together, worst first.

    Args:
        volume: The input.
        quality: As in its report, with ``slices`` and, against a reference, ``reference.slices``.

    Returns:
        {slice: number from 0 in the file's order, plane, position_lps: [x, y, z] of its centre in mm, figure: one of
        `NAMED`, value} each. A picture or a volume of one slice has none.
    """
    slices = quality.get("slices") or {}
    paired = (quality.get("reference") or {}).get("slices") or {}
    if slices.get("axis") not in ("z", "y", "x") or volume.array.shape[1 + "zyx".index(slices["axis"])] < 2:
        return []
    axis = "zyx".index(slices["axis"])
    plane = geometry.PLANES[geometry.to_canonical(volume)[1].axes.index(axis)]
    entries = []
    for key in NAMED:
        values, metric = slices.get(key) or paired.get(key) or [], of_slices(key)
        for index in worst_slices(values, low_is_good=metric is not None and not metric.higher_is_better):
            place = slice_centre(volume, axis, index)
            entries.append(
                {"slice": index, "plane": plane, "position_lps": place, "figure": key, "value": values[index]}
            )
    return entries


def slice_centre(volume: Volume, axis: int, index: int) -> list[float]:
    """[x, y, z] in mm LPS of the centre of a slice across the array axis 0, 1 or 2 (z, y, x)."""
    voxel = (np.asarray(volume.size, float) - 1) / 2
    voxel[2 - axis] = index
    place = np.asarray(volume.origin) + np.asarray(volume.direction) @ (voxel * np.asarray(volume.spacing))
    return [round(float(value), 3) for value in place]
