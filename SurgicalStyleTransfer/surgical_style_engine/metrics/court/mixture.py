"""An independent segmenter: tissue classes of a Gaussian mixture, fitted to each image by itself."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.volumes.tissues.mixture import CLASSES, fit_mixture, histogram_of


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
    borders, weights = histogram_of(values)
    centres = (borders[:-1] + borders[1:]) / 2
    table = (np.argmax(fit_mixture(centres, weights).joint(centres), axis=0) + 1).astype(np.uint8)
    bins = len(centres)
    place = np.clip(((values - low) / (high - low) * bins).astype(int), 0, bins - 1)
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
