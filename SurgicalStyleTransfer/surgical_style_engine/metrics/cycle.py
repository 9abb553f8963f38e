"""The article's cycle metrics: Look-Ahead Score and Jigsaw Puzzle Error, made honest.

A cycle-consistent generator learns to hide the source in its translation as a faint high-frequency signal
(Chu et al., "CycleGAN, a Master of Steganography", 2017), and a raw cycle error only measures how well it hides.
So every intermediate translation is first rounded to 8 bits and given Gaussian noise of 3/255 of the range,
which no hidden signal survives and no radiologist would notice (Bashkirova et al., NeurIPS 2019). The raw value
is kept beside it: a large gap between the two betrays hiding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surgical_style_engine.errors import InputError

Translate = Callable[[np.ndarray], np.ndarray]

NOISE = 3 / 255  # standard deviation, as a fraction of the range [-1, 1]
SEED = 0


@dataclass(frozen=True)
class CycleScore:
    """A cycle metric.

    Attributes:
        value: After quantisation and noise of each intermediate translation.
        raw: Without them.
    """

    value: float
    raw: float


@dataclass(frozen=True, eq=False)
class CycleMetrics:
    """All cycle metrics of one chain of translations.

    Attributes:
        look_ahead: After two translations.
        jigsaw: After four; None where it was not asked for.
        returned: F(G(x)) after quantisation and noise, float32 (c, z, y, x).
        error: |F(G(x)) - x|, float32 (c, z, y, x).
        slices: How many slices were judged; None for all of the array.
    """

    look_ahead: CycleScore
    jigsaw: CycleScore | None
    returned: np.ndarray
    error: np.ndarray
    slices: int | None = None


def degrade(array: np.ndarray, rng: np.random.Generator, region: np.ndarray | None = None) -> np.ndarray:
    """Round to 256 levels and add Gaussian noise of 3/255 of the range.

    Args:
        array: In [-1, 1], any shape.
        rng: Where the noise comes from.
        region: Bool, where the noise goes; rounding is everywhere. Noise in the air around a body would not test the
            body but make the pipeline take air for something to translate.

    Returns:
        Float32 in [-1, 1].
    """
    levels = np.rint((np.clip(array, -1, 1) + 1) * 127.5).astype(np.float32)
    noise = rng.standard_normal(array.shape, dtype=np.float32) * np.float32(2 * NOISE)
    if region is not None:
        noise *= region
    noisy = levels / 127.5 - 1 + noise
    return np.clip(noisy, -1, 1, out=noisy)


def cycle_metrics(
    array: np.ndarray,
    forward: Translate,
    backward: Translate,
    mask: np.ndarray | None = None,
    *,
    translated: np.ndarray | None = None,
    jigsaw: bool = True,
    seed: int = SEED,
) -> CycleMetrics:
    """Compute both scores sharing their translations: 6 calls (2 without jigsaw), one more if `translated` is None.

    Args:
        array: Normalised source x in [-1, 1], (c, z, y, x).
        forward: G on such arrays.
        backward: F on such arrays.
        mask: Bool (z, y, x) or (c, z, y, x); the noise is put, and the mean is taken, inside it.
        translated: G(x) if it is at hand.
        jigsaw: Whether to go round twice.
        seed: Of the noise.

    Raises:
        InputError: The mask is empty, or a translation has other channels.

    >>> x = np.zeros((1, 2, 8, 8), np.float32)
    >>> judged = cycle_metrics(x, lambda a: -a, lambda a: -a - 0.1)
    >>> round(judged.look_ahead.raw, 3), round(judged.jigsaw.raw, 3)
    (0.1, 0.2)
    """
    array = np.asarray(array, np.float32)
    region = _region(mask, array.shape)
    rng = np.random.default_rng(seed)
    first = _call(forward, array) if translated is None else np.asarray(translated, np.float32)
    raw_back = _call(backward, first)
    back = _call(backward, degrade(first, rng, region))
    look_ahead = CycleScore(_mean_error(back, array, region), _mean_error(raw_back, array, region))
    puzzle = None
    if jigsaw:
        raw_end = _call(backward, _call(forward, raw_back))
        third = _call(forward, degrade(back, rng, region))
        end = _call(backward, degrade(third, rng, region))
        puzzle = CycleScore(_mean_error(end, array, region), _mean_error(raw_end, array, region))
    return CycleMetrics(look_ahead, puzzle, back, np.abs(back - array))


def look_ahead_score(
    array: np.ndarray, forward: Translate, backward: Translate, mask: np.ndarray | None = None, *, seed: int = SEED
) -> CycleScore:
    """Look-Ahead Score: mean |F(G(x)) - x| in normalised units (range [-1, 1]); 0 is perfect. See `cycle_metrics`."""
    return cycle_metrics(array, forward, backward, mask, jigsaw=False, seed=seed).look_ahead


def jigsaw_puzzle_error(
    array: np.ndarray, forward: Translate, backward: Translate, mask: np.ndarray | None = None, *, seed: int = SEED
) -> CycleScore:
    """Jigsaw Puzzle Error: mean |F(G(F(G(x)))) - x|, four translations; 0 is perfect. See `cycle_metrics`."""
    score = cycle_metrics(array, forward, backward, mask, seed=seed).jigsaw
    assert score is not None  # it was asked for
    return score


def cycle_error_map(array: np.ndarray, forward: Translate, backward: Translate, *, seed: int = SEED) -> np.ndarray:
    """|F(G(x)) - x| per voxel, (c,z,y,x) float32, after quantisation and noise of G(x)."""
    return cycle_metrics(array, forward, backward, jigsaw=False, seed=seed).error


def _call(translate: Translate, array: np.ndarray) -> np.ndarray:
    result = np.asarray(translate(array), np.float32)
    if result.shape != array.shape:
        raise InputError(
            f"The cycle metrics need both domains to have the same channels: {array.shape} became {result.shape}."
        )
    return result


def _region(mask: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    if mask is None:
        return None
    region = np.broadcast_to(np.asarray(mask, bool), shape)
    if not region.any():
        raise InputError("The mask for the cycle metrics is empty.")
    return region


def _mean_error(a: np.ndarray, b: np.ndarray, region: np.ndarray | None) -> float:
    difference = np.abs(a - b)
    return float(np.mean(difference if region is None else difference[region], dtype=np.float64))
