"""Resizing images by a widened triangle filter, as torch's bilinear interpolation with anti-aliasing does, in numpy."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def resize(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize each image by itself, over the same field of view.

    Image by image, so that all passes stay within the processor's cache, and without products of matrices: the filter
    has two to four taps where images change by less than a factor of two.

    Args:
        images: (n, h, w) float32.
        size: (H, W) in pixels.

    Returns:
        (n, H, W) float32.
    """
    n, h, w = images.shape
    high, wide = size
    down, across = _taps(h, high), _taps(w, wide)
    resized = np.empty((n, high, wide), np.float32)
    if high * w <= h * wide:  # first along the axis that leaves less to do
        one, two = np.empty((2, high, w), np.float32), np.empty((2, wide, high), np.float32)
        turned = np.empty((w, high), np.float32)
        for index in range(n):
            turned[...] = _rows(images[index], down, *one).T
            resized[index] = _rows(turned, across, *two).T
        return resized
    one, spare = np.empty((2, wide, h), np.float32), np.empty((high, wide), np.float32)
    turned, back = np.empty((w, h), np.float32), np.empty((h, wide), np.float32)
    for index in range(n):
        turned[...] = images[index].T
        back[...] = _rows(turned, across, *one).T
        _rows(back, down, resized[index], spare)
    return resized


def _rows(image: np.ndarray, taps: tuple[np.ndarray, np.ndarray], result: np.ndarray, spare: np.ndarray) -> np.ndarray:
    """The weighted sums of an image's rows, in ``result``; ``spare`` is room of the same size."""
    places, weights = taps
    np.take(image, places[0], axis=0, out=result, mode="clip")
    result *= weights[0]
    for place, weight in zip(places[1:], weights[1:], strict=True):
        np.take(image, place, axis=0, out=spare, mode="clip")
        spare *= weight
        result += spare
    return result


@lru_cache(maxsize=64)
def _taps(count: int, target: int) -> tuple[np.ndarray, np.ndarray]:
    """Find what is added up on the way from ``count`` pixels to ``target``.

    Returns the numbers of the pixels (taps, target), and their weights (taps, target, 1) float32, which sum to 1.

    Rounded to single precision where torch rounds: at several hundred pixels that decides on the fifth digit.
    """
    single = np.float32
    scale = single(count) / single(target)
    support, inverse = max(scale, single(1)), single(1) / max(scale, single(1))
    centre = (np.float64(scale) * (np.arange(target) + 0.5)).astype(single)
    first = np.maximum(((centre - support).astype(np.float64) + 0.5).astype(np.int64), 0)
    end = np.minimum(((centre + support).astype(np.float64) + 0.5).astype(np.int64), count)
    places = first + np.arange(int(np.ceil(support)) * 2 + 1)[:, None]
    distances = ((places.astype(single) - centre).astype(np.float64) + 0.5) * inverse
    weights = np.where(places < end, np.maximum(0, 1 - np.abs(distances.astype(single))), 0).astype(single)
    # Taps without weight go: those before the first one of each pixel by taking turns with those behind the last.
    order = (np.arange(len(places))[:, None] + (weights != 0).argmax(axis=0)) % len(places)
    weights = np.take_along_axis(weights, order, 0)
    places = np.minimum(np.take_along_axis(places, order, 0), count - 1)
    used = (weights != 0).any(axis=1)
    weights = (weights[used] / weights.sum(axis=0)).astype(single)
    return np.ascontiguousarray(places[used]), weights[:, :, None]
