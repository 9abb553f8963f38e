"""The part of all slices that holds a body, which is what a network sees of them."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.common.thresholds import AIR_TOP, NOISIEST_AIR

AIR_SHARE = 0.05  # part of the blocks that is air wherever there is any worth cutting off
BLOCK = 8  # pixels a side of what must exceed the background on average
MARGIN = 8  # pixels kept around the body


class BodyBox:
    """Finds rows and columns that hold anything above background in any slice, with a margin.

    Networks normalise by statistics of the whole slice; wide empty borders would shift them. Of a scanner's noise some
    pixels lie above any level, so that a pixel counts within a block that is brighter than the air on average: by one
    hundredth of the range, to which one bright pixel of the block or four grey ones suffice. Slices are added in parts.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        """Start without slices; size: (h, w) of each in pixels."""
        self._most = np.full(size, -1, np.float32)  # of every pixel over all slices and channels
        self._blocks: list[np.ndarray] = []
        self._means = tuple(_averaging(length) for length in size)

    def add(self, array: np.ndarray) -> None:
        """Add slices (c, s, h, w), normalised to [-1, 1]."""
        rows, columns = self._means
        np.maximum(self._most, array.max(axis=(0, 1), initial=-1), out=self._most)
        self._blocks.append((rows @ array @ columns.T).max(axis=0, initial=-1))

    def found(self) -> tuple[slice, slice]:
        """Return the rows and columns; all of them where nothing stands out."""
        blocks = np.concatenate(self._blocks)
        air = float(np.quantile(blocks, AIR_SHARE)) if blocks.size else -1.0
        level = AIR_TOP + (air + 1 if air < NOISIEST_AIR else 0)
        high, wide = self._most.shape
        occupied = (blocks > level).any(axis=0).repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[:high, :wide]
        occupied &= self._most > level
        rows, columns = np.flatnonzero(occupied.any(axis=1)), np.flatnonzero(occupied.any(axis=0))
        if not len(rows):
            return slice(0, high), slice(0, wide)
        return _widened(rows, high), _widened(columns, wide)


def body_box(array: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of normalised slices (c, s, h, w) that hold a body, see ``BodyBox``."""
    box = BodyBox(array.shape[-2:])
    box.add(array)
    return box.found()


def _averaging(length: int) -> np.ndarray:
    """(blocks, length) float32: means of BLOCK values each, of what is left in the last one."""
    blocks = np.arange(length) // BLOCK == np.arange(-(-length // BLOCK))[:, None]
    return (blocks / blocks.sum(axis=1, keepdims=True)).astype(np.float32)


def _widened(occupied: np.ndarray, length: int) -> slice:
    """From the first to the last of ascending numbers, with a margin."""
    return slice(max(0, int(occupied[0]) - MARGIN), min(length, int(occupied[-1]) + 1 + MARGIN))
