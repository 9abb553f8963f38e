"""Patches of slices: where they lie, and what they hold."""

from __future__ import annotations

import numpy as np

from .items import CachedItem


def random_corner(item: CachedItem, size: int, random: np.random.Generator) -> tuple[int, int]:
    """Upper left corner of a patch that covers the body's box as far as it fits."""
    top, bottom, left, right = item.box
    return _start(top, bottom, size, random), _start(left, right, size, random)


def _start(low: int, high: int, size: int, random: np.random.Generator) -> int:
    if high - low <= size:
        return int(random.integers(high - size, low + 1))
    return int(random.integers(low, high - size + 1))


def is_constant(stack: np.ndarray) -> bool:
    """Whether nothing stands out in an image (c, h, w) in [-1, 1]."""
    return float(stack.max() - stack.min()) < 0.02


def corner_at_edge(stack: np.ndarray, size: int) -> tuple[int, int]:
    """Upper left corner of the patch around the strongest edge in a stack (c, h, w): surely not constant."""
    rows, columns = np.abs(np.diff(stack, axis=1)).max(axis=0), np.abs(np.diff(stack, axis=2)).max(axis=0)
    steepest = rows if rows.max(initial=0) >= columns.max(initial=0) else columns
    y, x = np.unravel_index(int(steepest.argmax()), steepest.shape)
    return int(y) - size // 2, int(x) - size // 2


def crop(array: np.ndarray, corner: tuple[int, int], size: int, outside: float = -1.0) -> np.ndarray:
    """Cut (c, size, size) out of (c, h, w); what lies beyond the edge becomes ``outside``."""
    h, w = array.shape[-2:]
    top, left = corner
    result = np.full((array.shape[0], size, size), outside, np.float32)
    y0, y1, x0, x1 = max(top, 0), min(top + size, h), max(left, 0), min(left + size, w)
    if y1 > y0 and x1 > x0:
        result[:, y0 - top : y1 - top, x0 - left : x1 - left] = array[:, y0:y1, x0:x1]
    return result
