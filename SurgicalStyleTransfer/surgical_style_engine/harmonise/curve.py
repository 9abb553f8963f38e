"""A tone curve that takes the tissues of one scan to those of another, and keeps the order of all grey values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEEPEST = 4.0  # times the curve's overall gain: steeper, it would show noise as structure; flatter than 1/4, hide it


@dataclass(frozen=True, eq=False)
class ToneCurve:
    """A strictly increasing curve through landmarks, straight between and beyond them.

    Attributes:
        levels: (n,) ascending from 0, above the floor, in the scan's units.
        targets: (n,) ascending from 0, in the target's units.
        gain: of what is brighter than the last level.
        floor: intensity of what gives no signal, in the scan's units; it becomes 0.
    """

    levels: np.ndarray
    targets: np.ndarray
    gain: float
    floor: float = 0.0

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Grey values of any shape, in the scan's units, to float32 in the target's.

        Example:
            >>> curve = ToneCurve(np.array([0.0, 50.0, 100.0]), np.array([0.0, 300.0, 400.0]), gain=4.0)
            >>> curve(np.array([-10.0, 25.0, 100.0, 150.0])).tolist()
            [-60.0, 150.0, 400.0, 600.0]
        """
        above = np.asarray(array, np.float64) - self.floor
        inside = np.interp(above, self.levels, self.targets)
        beyond = np.maximum(above - self.levels[-1], 0.0) * self.gain
        below = np.minimum(above, 0.0) * (self.targets[1] / self.levels[1])
        return (inside + beyond + below).astype(np.float32)


def curve_between(levels: np.ndarray, targets: np.ndarray, anchor: int, floor: float = 0.0) -> tuple[ToneCurve, bool]:
    """The curve from one set of tissue levels to another, its slopes bounded.

    Args:
        levels: (n,) ascending, positive, of the scan above its floor.
        targets: (n,) ascending, positive, of the target.
        anchor: which tissue reaches its target in any case; the curve's overall gain is its.
        floor: intensity of what gives no signal in the scan.

    Returns:
        The curve, of which no part between tissues is more than STEEPEST ** 2 times as steep as another, and whether
        a slope had to be bounded for that, so that not every tissue reaches its target.
    """
    gain = float(targets[anchor] / levels[anchor])
    levels, targets = np.concatenate([[0.0], levels]), np.concatenate([[0.0], targets])
    slopes = np.diff(targets) / np.diff(levels)
    bounded = np.clip(slopes, gain / STEEPEST, gain * STEEPEST)
    reached = np.concatenate([[0.0], np.cumsum(bounded * np.diff(levels))])
    reached *= targets[anchor + 1] / reached[anchor + 1]
    return ToneCurve(levels, reached, gain, floor), bool(np.any(bounded != slopes))
