"""Measures of patches that tell contrasts apart on scanners never seen.

The shape of the histogram, whether fine detail is bright or dark, what is even and what is not, what lies in the
middle, and how the brightest and the darkest hang together.
"""

from __future__ import annotations

import numpy as np

from .patches import OUTSIDE

_PERCENTILES = (1, 5, 10, 20, 30, 40, 60, 70, 80, 90, 95, 99)
_BOXES = (3, 5, 9, 17)  # pixels
_BANDS = ((None, 3), (3, 5), (3, 9), (5, 9), (9, 17))  # boxes whose difference is a band of detail; None: no blur
_RANKS = (-1, -0.9, -0.7, -0.3, 0.3, 0.7, 0.9, 1.01)
_EXTREMES = (0.9, 0.8)  # ranks beyond which pixels are among the brightest or darkest
_LEAST_PIXELS = 100
_TINY = 1e-6


def features_of(patches: np.ndarray) -> np.ndarray | None:
    """Measure the patches of a volume.

    Args:
        patches: (n, 2, h, w) as ``patches.standardised`` gives them.

    Returns:
        (features,): of every measure the median, the mean and the standard deviation over the patches. None where no
        patch holds enough.
    """
    rows = rows_of(patches)
    if not rows:
        return None
    table = np.nan_to_num(np.asarray(rows, float))
    return np.concatenate([np.median(table, axis=0), table.mean(axis=0), table.std(axis=0)])


def rows_of(patches: np.ndarray) -> list[list[float]]:
    """The measures of every patch (n, 2, h, w) that holds enough."""
    values, ranks = (np.asarray(patches[:, channel], np.float32) for channel in (0, 1))
    inside = (values > OUTSIDE + 1e-3) & (ranks > -1)
    rank_blurs = {side: blurred(ranks, inside, side) for side in _BOXES}
    value_blurs = {side: blurred(values, inside, side) for side in _BOXES}
    unevenness = blurred((ranks - rank_blurs[5]) ** 2, inside, 5)
    inner = _eroded(_eroded(inside, cross=True), cross=True)
    rows: list[list[float]] = []
    for n in range(len(patches)):
        if inner[n].sum() < _LEAST_PIXELS:
            continue
        rows.append(
            [
                *_histogram(values[n][inside[n]]),
                *_detail(ranks[n], {side: blur[n] for side, blur in rank_blurs.items()}, inner[n]),
                *_detail(values[n], {side: blur[n] for side, blur in value_blurs.items()}, inner[n]),
                *_evenness(ranks[n], rank_blurs[3][n], rank_blurs[5][n], unevenness[n], inner[n]),
                *_places(ranks[n], inside[n]),
                *_extremes(ranks[n], rank_blurs[5][n], inside[n]),
            ]
        )
    return rows


def _histogram(values: np.ndarray) -> list[float]:
    """Percentiles, and the skewness."""
    centred = values - values.mean()
    skewness = float((centred**3).mean() / (values.std() ** 3 + _TINY))
    return [*np.percentile(values, _PERCENTILES).tolist(), skewness]


def _detail(image: np.ndarray, blurs: dict[int, np.ndarray], inner: np.ndarray) -> list[float]:
    """Of each band of detail: the skewness, the longer tail, and the strength."""
    measures: list[float] = []
    for fine, coarse in _BANDS:
        band = ((image if fine is None else blurs[fine]) - blurs[coarse])[inner]
        strength = float(band.std()) + _TINY
        low, high = np.percentile(band, (1, 99))
        measures += [float(((band / strength) ** 3).mean()), float(high + low) / strength, strength]
    return measures


def _evenness(
    ranks: np.ndarray, blur3: np.ndarray, blur5: np.ndarray, unevenness: np.ndarray, inner: np.ndarray
) -> list[float]:
    """How bright what is even is, beside what is not: white matter and fluid are even, the cortex is not."""
    detail, bright = np.abs(ranks - blur3)[inner], blur5[inner]
    together = np.corrcoef(detail, bright)[0, 1] if detail.std() > 0 and bright.std() > 0 else 0.0
    order = np.argsort(unevenness[inner])
    count = len(order)
    parts = order[: count // 5], order[count // 5 : count // 2], order[-count // 5 :]
    return [float(together), *(float(bright[part].mean()) for part in parts), float(bright[order[: count // 10]].std())]


def _places(ranks: np.ndarray, inside: np.ndarray) -> list[float]:
    """How far from the middle pixels of each band of ranks lie, in means of all: ventricles are in the middle."""
    rows, columns = np.nonzero(inside)
    distance = np.hypot(rows - rows.mean(), columns - columns.mean())
    distance = distance / (distance.mean() + _TINY)
    own = ranks[inside]
    measures = []
    for low, high in zip(_RANKS, _RANKS[1:], strict=False):
        chosen = (own >= low) & (own < high)
        measures.append(float(distance[chosen].mean()) if chosen.any() else 1.0)
    return measures


def _extremes(ranks: np.ndarray, blur5: np.ndarray, inside: np.ndarray) -> list[float]:
    """How much of the darkest and of the brightest hangs together, and how much of it there is when blurred."""
    first, second = _EXTREMES
    sets = [part & inside for part in (ranks < -first, ranks < -second, ranks > second, ranks > first)]
    measures = [_compact(part) for part in sets]
    for part in (blur5 < -0.6, blur5 > 0.6):
        measures += [float((part & inside).sum() / inside.sum()), _compact(part & inside)]
    return measures


def _compact(pixels: np.ndarray) -> float:
    """Share of pixels all of whose neighbours are among them."""
    return float(_eroded(pixels[None], cross=False).sum() / max(int(pixels.sum()), 1))


def blurred(images: np.ndarray, inside: np.ndarray, side: int) -> np.ndarray:
    """Means over boxes of what lies inside; images and inside are (n, h, w)."""
    weights = _box_sums(inside.astype(np.float32), side)
    return _box_sums(np.where(inside, images, 0), side) / np.maximum(weights, 1e-3 * side * side)


def _box_sums(images: np.ndarray, side: int) -> np.ndarray:
    """Sums over boxes of an odd side about every pixel, nothing beyond the image."""
    half = side // 2
    padded = np.pad(images, ((0, 0), (half + 1, half), (half + 1, half))).astype(np.float64)
    sums = padded.cumsum(axis=1).cumsum(axis=2)
    boxes = sums[:, side:, side:] - sums[:, :-side, side:] - sums[:, side:, :-side] + sums[:, :-side, :-side]
    return boxes.astype(np.float32)


def _eroded(pixels: np.ndarray, cross: bool) -> np.ndarray:
    """Pixels (n, h, w) whose four (cross) or eight neighbours are among them; beyond the image there are none."""
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1)))
    height, width = pixels.shape[1:]
    result = pixels.copy()
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if not (cross and dy and dx):
                result &= padded[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
    return result
