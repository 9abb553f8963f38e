"""How far the edges of an image lie from those of another contrast of the same head, in mm."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from surgical_style_engine.volumes.filters import Spacing

BLOCK_MM = 24.0
REACH_MM = 4.0  # displacements beyond count as this much
LEAST_CORRELATION = 0.3  # of a block's edges; below, the two have no edge in common there
LEAST_FILLED = 0.5  # of a block inside the region
FEW = 30  # blocks of a whole volume; where there are fewer, they overlap by half
THICK = 2.0  # times the finest spacing: across thicker slices nothing is looked for


@dataclass(frozen=True)
class EdgeOffset:
    """Displacements of blocks.

    Attributes:
        median_mm: Of their lengths; None where no block has edges in common.
        p95_mm: The 95th percentile.
        blocks: How many were compared.
        matched: Those with edges in common.
    """

    median_mm: float | None
    p95_mm: float | None
    blocks: int
    matched: int


def edge_offset(first: np.ndarray, second: np.ndarray, region: np.ndarray, spacing: Spacing) -> EdgeOffset:
    """Block matching of gradient magnitudes.

    The gradient's magnitude g is compressed to g / (g + its median in the region), so that strong edges of one
    contrast count as weak ones of the other. Each block of 24 mm of the first is laid on the second at every
    displacement of whole voxels up to 4 mm; the peak of their normalised cross-correlation is found to parts of a voxel
    by a parabola along each axis.

    Args:
        first: (z, y, x), any units.
        second: The same, in another contrast.
        region: Bool (z, y, x), where blocks lie.
        spacing: Millimetres along z, y, x.
    """
    region = np.asarray(region, bool)
    edges = [_edges(np.asarray(image, np.float32), region, spacing) for image in (first, second)]
    finest = min(spacing)
    reach = [
        0 if mm > THICK * finest or n < 8 else round(REACH_MM / mm) for mm, n in zip(spacing, first.shape, strict=True)
    ]
    sides = [min(n, max(1, round(BLOCK_MM / mm))) for mm, n in zip(spacing, first.shape, strict=True)]
    padded = np.pad(edges[1], [(r, r) for r in reach], mode="edge")
    steps = sides
    if np.prod([n // side for n, side in zip(first.shape, sides, strict=True)]) < FEW:
        steps = [max(1, side // 2) for side in sides]
    lengths, blocks = [], 0
    corners = (range(0, n - side + 1, step) for n, side, step in zip(first.shape, sides, steps, strict=True))
    for begin in product(*corners):
        here = tuple(slice(b, b + side) for b, side in zip(begin, sides, strict=True))
        if region[here].mean() < LEAST_FILLED:
            continue
        blocks += 1
        around = tuple(slice(b, b + side + 2 * r) for b, side, r in zip(begin, sides, reach, strict=True))
        length = _displacement(edges[0][here], padded[around], reach, spacing)
        if length is not None:
            lengths.append(length)
    if not lengths:
        return EdgeOffset(None, None, blocks, 0)
    return EdgeOffset(float(np.median(lengths)), float(np.percentile(lengths, 95)), blocks, len(lengths))


def _edges(image: np.ndarray, region: np.ndarray, spacing: Spacing) -> np.ndarray:
    axes = [axis for axis, count in enumerate(image.shape) if count > 1]
    squares = [(np.gradient(image, axis=axis) / np.float32(spacing[axis])) ** 2 for axis in axes]
    magnitude = np.sqrt(np.sum(squares, axis=0))
    usual = float(np.median(magnitude[region])) if region.any() else 0.0
    return magnitude / (magnitude + np.float32(max(usual, 1e-6)))


def _displacement(block: np.ndarray, around: np.ndarray, reach: list[int], spacing: Spacing) -> float | None:
    """Length in mm of the displacement at which a block fits best; None where it fits nowhere."""
    correlation = _correlation(block, around)
    peak = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
    if correlation[peak] < LEAST_CORRELATION:
        return None
    squares = 0.0
    for axis, (place, most, mm) in enumerate(zip(peak, reach, spacing, strict=True)):
        shift = float(place - most)
        if 0 < place < 2 * most:
            along = correlation[tuple(slice(None) if other == axis else at for other, at in enumerate(peak))]
            before, after = along[place - 1], along[place + 1]
            bend = before - 2 * correlation[peak] + after
            shift += float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0
        squares += (shift * mm) ** 2
    return min(float(np.sqrt(squares)), REACH_MM)


def _correlation(block: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Normalised cross-correlation of a block with every place of its size in a larger one (Lewis, 1995)."""
    size = around.shape
    valid = tuple(slice(0, n - m + 1) for n, m in zip(size, block.shape, strict=True))
    template = block.astype(np.float64) - block.mean()
    energy = float((template**2).sum())
    if energy <= 1e-9:
        return np.zeros([part.stop for part in valid])
    whole = around.astype(np.float64)

    def slid(kernel: np.ndarray, array: np.ndarray) -> np.ndarray:
        product = np.conj(np.fft.rfftn(kernel, size)) * np.fft.rfftn(array)
        return np.fft.irfftn(product, size)[valid]

    ones = np.ones(block.shape)
    variance = slid(ones, whole**2) - slid(ones, whole) ** 2 / block.size
    return slid(template, whole) / np.sqrt(np.maximum(variance * energy, 1e-12))
