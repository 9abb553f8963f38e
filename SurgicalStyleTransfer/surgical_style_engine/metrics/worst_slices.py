"""The worst slices of a volume, by name and by place, so that a person can go and look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.volume import Volume

COUNT = 3
# Figures that say where it went wrong: key in the report, whether low values are good.
NAMED = (("semantic_consistency", False), ("look_ahead", True), ("psnr", False))


def worst_slices(values: Sequence[float | None], low_is_good: bool, count: int = COUNT) -> list[int]:
    """Numbers of the ``count`` worst values, worst first. Neighbours of one already named say little new: they keep
    a distance of a sixteenth of all slices, two at least."""
    apart = max(2, len(values) // 16)
    order = sorted(
        (index for index, value in enumerate(values) if value is not None),
        key=lambda index: (-values[index] if low_is_good else values[index], index),
    )
    found: list[int] = []
    for index in order:
        if len(found) < count and all(abs(index - other) >= apart for other in found):
            found.append(index)
    return found


def named_slices(volume: Volume, quality: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The worst slices that a volume's figures (as of ``quality_of``) name, those of one figure together, worst first.

    Each is {slice: number from 0 in the file's order, plane, position_lps: [x, y, z] of its centre in mm, figure:
    semantic_consistency, look_ahead or psnr, value}. A picture or a volume of one slice has none.
    """
    slices = quality.get("slices") or {}
    paired = (quality.get("reference") or {}).get("slices") or {}
    if slices.get("axis") not in ("z", "y", "x") or volume.array.shape[1 + "zyx".index(slices["axis"])] < 2:
        return []
    axis = "zyx".index(slices["axis"])
    plane = geometry.PLANES[geometry.to_canonical(volume)[1].axes.index(axis)]
    found = []
    for figure, low_is_good in NAMED:
        values = slices.get(figure) or paired.get(figure)
        for index in worst_slices(values, low_is_good) if values else []:
            place = slice_centre(volume, axis, index)
            found.append(
                {"slice": index, "plane": plane, "position_lps": place, "figure": figure, "value": values[index]}
            )
    return found


def slice_centre(volume: Volume, axis: int, index: int) -> list[float]:
    """[x, y, z] in mm LPS of the centre of a slice across the array axis 0, 1 or 2 (z, y, x)."""
    voxel = (np.asarray(volume.size, float) - 1) / 2
    voxel[2 - axis] = index
    place = np.asarray(volume.origin) + np.asarray(volume.direction) @ (voxel * np.asarray(volume.spacing))
    return [round(float(value), 3) for value in place]
