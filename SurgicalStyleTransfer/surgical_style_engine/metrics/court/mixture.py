"""An independent segmenter: tissue classes of a Gaussian mixture, fitted to each image by itself."""

from __future__ import annotations

import numpy as np

CLASSES = 3
_BINS, _STEPS = 256, 200


def tissue_classes(image: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Classes of intensity from dark to bright: expectation maximisation on the histogram inside a region.

    Args:
        image: (z, y, x), any units.
        region: Bool (z, y, x).

    Returns:
        uint8 (z, y, x): 1 to 3, 0 outside of the region; all 1 where the image is constant.
    """
    values = np.asarray(image, np.float64)[region]
    result = np.zeros(region.shape, np.uint8)
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5))) if values.size else (0.0, 0.0)
    if not high > low:
        result[region] = 1
        return result
    counts, borders = np.histogram(np.clip(values, low, high), _BINS, (low, high))
    centres = (borders[:-1] + borders[1:]) / 2
    shares = _posterior(centres, counts / counts.sum())
    table = (np.argmax(shares, axis=0) + 1).astype(np.uint8)
    place = np.clip(((values - low) / (high - low) * _BINS).astype(int), 0, _BINS - 1)
    result[region] = table[place]
    return result


def tissue_agreement(image: np.ndarray, real: np.ndarray, region: np.ndarray) -> float:
    """Mean Dice of the tissue classes of an image and of the real one of the same contrast; 1 is perfect.

    Args:
        image: (z, y, x), any units.
        real: On its grid.
        region: Bool (z, y, x), such as the brain.
    """
    first, second = tissue_classes(image, region), tissue_classes(real, region)
    scores = []
    for number in range(1, CLASSES + 1):
        a, b = first == number, second == number
        total = np.count_nonzero(a) + np.count_nonzero(b)
        if total:
            scores.append(2 * np.count_nonzero(a & b) / total)
    return float(np.mean(scores)) if scores else 0.0


def _posterior(centres: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(classes, bins): how likely each class is at each intensity, classes from dark to bright."""
    reached = np.cumsum(weights)
    means = np.interp((np.arange(CLASSES) + 0.5) / CLASSES, reached, centres)
    span = float(centres[-1] - centres[0])
    deviations, parts = np.full(CLASSES, span / 6), np.full(CLASSES, 1 / CLASSES)
    joint = np.empty((CLASSES, len(centres)))
    for _ in range(_STEPS):
        distance = (centres - means[:, None]) / deviations[:, None]
        joint = parts[:, None] / deviations[:, None] * np.exp(-0.5 * distance**2) + 1e-300
        shares = joint / joint.sum(0)
        mass = np.maximum((shares * weights).sum(1), 1e-12)
        moved = (shares * weights * centres).sum(1) / mass
        variance = (shares * weights * (centres - moved[:, None]) ** 2).sum(1) / mass
        parts, deviations = mass / mass.sum(), np.maximum(np.sqrt(variance), span / 100)
        if np.abs(moved - means).max() < 1e-6 * span:
            break
        means = moved
    return joint[np.argsort(means)]
