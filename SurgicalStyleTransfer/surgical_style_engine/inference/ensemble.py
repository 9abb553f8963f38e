"""Test-time ensembling: the same slices flipped and shifted, and the results put back and averaged.

Networks with strides answer differently where a slice begins a few pixels earlier, and transposed convolutions draw
checkerboards on a grid that moves with it: the mean over shifts has less of both. Anatomy is nearly symmetric from left
to right, so a flipped slice is as good an input as the slice itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Variant:
    """How a slice is turned before it is run.

    Attributes:
        flip: mirror the width (left and right of axial and coronal slices).
        shift: rows and columns that the slice begins later, its edge repeated.
    """

    flip: bool = False
    shift: tuple[int, int] = (0, 0)

    def apply(self, batch: np.ndarray) -> np.ndarray:
        """(n, c, h, w) -> (n, c, h + rows, w + columns)."""
        turned = batch[..., ::-1] if self.flip else batch
        if any(self.shift):
            turned = np.pad(turned, [(0, 0), (0, 0), (self.shift[0], 0), (self.shift[1], 0)], mode="edge")
        return np.ascontiguousarray(turned)

    def undo(self, batch: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Back to ``size``, the h and w that ``apply`` was given; padding at the far edges is dropped."""
        rows, columns = self.shift
        cut = batch[..., rows : rows + size[0], columns : columns + size[1]]
        return cut[..., ::-1] if self.flip else cut


PLAIN = Variant()
# Shifts differ modulo 2 and 4, the strides of the generators.
_AXIAL = (PLAIN, Variant(True, (2, 1)), Variant(False, (1, 3)), Variant(True, (3, 2)))
# A sagittal slice has no left and right.
_SAGITTAL = tuple(Variant(False, variant.shift) for variant in _AXIAL)


def variants_of(plane: str, ensemble: bool) -> tuple[Variant, ...]:
    """The variants that a plane's slices are run in."""
    if not ensemble:
        return (PLAIN,)
    return _SAGITTAL if plane == "sagittal" else _AXIAL
