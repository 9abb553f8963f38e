"""Tissues as a mixture of Gaussians, fitted to a histogram by expectation maximisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLASSES = 3
_BINS, _STEPS = 256, 200
_RANGE = (0.5, 99.5)  # percentiles; what lies beyond is counted at the ends


_PRIOR = 0.01  # of the voxels: how many the expectation counts for
_OUTLIERS = 0.03  # of the voxels: lesions, vessels, what belongs to no tissue
_SCALES = np.linspace(0.7, 1.5, 33)  # of the commonest intensity: where the anchor tissue is looked for


@dataclass(frozen=True, eq=False)
class Expected:
    """What three tissues look like in one contrast, relative to the anchor tissue's mean.

    Attributes:
        anchor: which class is the anchor.
        ratios: (3,) means, ascending.
        spreads: (3,) how far the means differ between scanners.
        deviations: (3,) within the classes.
        shares: (3,) of the brain.
        share_weight: of the voxels: how many the expected shares count for. Where two tissues are one hill of the
            histogram, it does not tell how much there is of each, and anatomy does.
    """

    anchor: int
    ratios: tuple[float, float, float]
    spreads: tuple[float, float, float]
    deviations: tuple[float, float, float]
    shares: tuple[float, float, float]
    share_weight: float = _PRIOR


@dataclass(frozen=True, eq=False)
class Mixture:
    """Classes of intensity, from dark to bright.

    Attributes:
        means: (classes,) in the image's units.
        deviations: (classes,) in the image's units.
        shares: (classes,) of all voxels; they add up to 1.
    """

    means: np.ndarray
    deviations: np.ndarray
    shares: np.ndarray

    def joint(self, values: np.ndarray) -> np.ndarray:
        """(classes, n): how likely each class is at each of n intensities, up to one factor."""
        return _joint(values, self.means, self.deviations, self.shares)


def histogram_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Borders (257,) and shares (256,) of a histogram between the 0.5th and the 99.5th percentile.

    Args:
        values: (n,) in any units, not all equal.
    """
    low, high = (float(v) for v in np.percentile(values, _RANGE))
    counts, borders = np.histogram(np.clip(values, low, high), _BINS, (low, high))
    return borders, counts / counts.sum()


def fit_mixture(centres: np.ndarray, weights: np.ndarray) -> Mixture:
    """Fit three classes to a histogram.

    Args:
        centres: (bins,) intensities, ascending.
        weights: (bins,) shares of the voxels.

    Returns:
        The classes, from dark to bright.

    Example:
        >>> tissue = np.random.default_rng(0).normal([[20.0], [50.0], [80.0]], 4.0, (3, 5000)).ravel()
        >>> borders, weights = histogram_of(tissue)
        >>> fit_mixture((borders[:-1] + borders[1:]) / 2, weights).means.round(-1).tolist()
        [20.0, 50.0, 80.0]
    """
    reached = np.cumsum(weights)
    means = np.interp((np.arange(CLASSES) + 0.5) / CLASSES, reached, centres)
    span = float(centres[-1] - centres[0])
    deviations, parts = np.full(CLASSES, span / 6), np.full(CLASSES, 1 / CLASSES)
    fitted = means, deviations, parts
    for _ in range(_STEPS):
        fitted = means, deviations, parts
        joint = _joint(centres, *fitted)
        shares = joint / joint.sum(0)
        mass = np.maximum((shares * weights).sum(1), 1e-12)
        moved = (shares * weights * centres).sum(1) / mass
        variance = (shares * weights * (centres - moved[:, None]) ** 2).sum(1) / mass
        parts, deviations = mass / mass.sum(), np.maximum(np.sqrt(variance), span / 100)
        if np.abs(moved - means).max() < 1e-6 * span:
            break
        means = moved
    order = np.argsort(fitted[0])
    return Mixture(*(parameter[order] for parameter in fitted))


def fit_expected(centres: np.ndarray, weights: np.ndarray, expected: Expected) -> Mixture:
    """Fit three classes that are expected to lie in certain ratios, beside outliers of any intensity.

    Where tissues overlap, a histogram alone does not say which is which (grey and white matter in FLAIR, cerebrospinal
    fluid beside oedema in T2w). So the maximum a posteriori is sought, with conjugate priors of a hundredth of the
    voxels (for the shares of ``share_weight``; Gauvain & Lee, IEEE TSAP 1994), from the scale at which the expectation
    explains the histogram best.

    Args:
        centres: (bins,) intensities above the level of air, ascending.
        weights: (bins,) shares of the voxels.
        expected: of the contrast.

    Returns:
        The classes, from dark to bright.
    """
    ratios, spreads, expected_deviations, parts = (
        np.array(values) for values in (expected.ratios, expected.spreads, expected.deviations, expected.shares)
    )
    outlier = _OUTLIERS / float(centres[-1] - centres[0])

    def densities(means: np.ndarray, deviations: np.ndarray, parts: np.ndarray) -> np.ndarray:
        return (1 - _OUTLIERS) / np.sqrt(2 * np.pi) * _joint(centres, means, deviations, parts)

    def likelihood(scale: float) -> float:
        total = densities(ratios * scale, expected_deviations * scale, parts).sum(0) + outlier
        return float((weights * np.log(total)).sum())

    smooth = np.convolve(weights, np.hanning(17), "same")
    scale = max(centres[smooth.argmax()] * _SCALES, key=likelihood)
    means, deviations, shares = ratios * scale, expected_deviations * scale, parts.copy()
    for _ in range(_STEPS):
        density = densities(means, deviations, shares)
        belongs = density / (density.sum(0) + outlier) * weights
        mass = belongs.sum(1)
        anchor = means[expected.anchor]
        pull = _PRIOR * (deviations / (spreads * anchor)) ** 2
        pull[expected.anchor] = 0.0
        moved = ((belongs * centres).sum(1) + pull * ratios * anchor) / (mass + pull + 1e-12)
        squares = (belongs * (centres - moved[:, None]) ** 2).sum(1) + _PRIOR * (expected_deviations * anchor) ** 2
        deviations = np.sqrt(squares / (mass + _PRIOR))
        shares = mass + expected.share_weight * parts
        shares /= shares.sum()
        settled = np.abs(moved - means).max() < 1e-5 * scale
        means = moved
        if settled:
            break
    order = np.argsort(means)
    return Mixture(means[order], deviations[order], shares[order])


def _joint(values: np.ndarray, means: np.ndarray, deviations: np.ndarray, parts: np.ndarray) -> np.ndarray:
    joint = np.empty((len(means), len(values)))
    distance = (values - means[:, None]) / deviations[:, None]
    joint[:] = parts[:, None] / deviations[:, None] * np.exp(-0.5 * distance**2) + 1e-300
    return joint
