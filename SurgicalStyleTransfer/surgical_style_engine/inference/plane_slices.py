"""The slices of a plane at the model's pixels: resampled at once, or of large volumes as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from surgical_style_engine.common import thresholds
from surgical_style_engine.volumes.resampling import resize_in_plane

AT_ONCE = 8  # slices of a volume that is larger
_REMEMBERED = 64  # of its slices at the model's pixels: neighbours of a stack are used again


class Slices:
    """Slices (c, s, h, w) of a plane: normalised, and at the model's pixels.

    Small volumes are resampled once; of large ones only the slices that are asked for, and the last ones are
    remembered.

    Args:
        original: (c, s, h, w).
        size: (H, W) at the model's pixels.
        normalise: from what ``original`` holds to [-1, 1], value by value; None where it is normalised already.
    """

    def __init__(
        self,
        original: np.ndarray,
        size: tuple[int, int],
        normalise: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.original, self.size, self._normalise = original, size, normalise
        self.count: int = original.shape[1]
        self._whole: np.ndarray | None = None
        self._last: dict[int, np.ndarray] = {}
        if original.shape[0] * self.count * size[0] * size[1] <= thresholds.LARGEST_WHOLE and normalise is None:
            self._whole = resize_in_plane(original, size)

    def own(self, indices: np.ndarray) -> np.ndarray:
        """(c, n, h, w) normalised, at the input's pixels."""
        chosen = self.original[:, indices]
        return chosen if self._normalise is None else self._normalise(chosen)

    def at_model(self, indices: np.ndarray) -> np.ndarray:
        """(c, n, H, W) float32 normalised, at the model's pixels."""
        if self._whole is not None:
            return self._whole[:, indices]
        missing = [index for index in dict.fromkeys(np.ravel(indices).tolist()) if index not in self._last]
        if missing:
            resized = resize_in_plane(self.own(np.asarray(missing)), self.size)
            self._last |= {index: resized[:, number].copy() for number, index in enumerate(missing)}
        chosen = np.stack([self._last[int(index)] for index in indices], axis=1)
        for index in list(self._last)[:-_REMEMBERED]:
            del self._last[index]
        return chosen

    def parts(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All slices at the model's pixels, a few at a time: (which, (c, n, H, W))."""
        step = self.count if self._whole is not None else AT_ONCE
        for start in range(0, self.count, max(1, step)):
            which = slice(start, min(start + step, self.count))
            if self._whole is not None:
                yield which, self._whole
            else:
                yield which, resize_in_plane(self.own(np.arange(which.start, which.stop)), self.size)
