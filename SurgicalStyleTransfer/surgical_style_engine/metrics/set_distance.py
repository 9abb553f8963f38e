"""Kernel MMD of slice statistics: how far apart two sets of slices look, paired or not.

The distance is the unbiased squared maximum mean discrepancy with the cubic polynomial kernel that Binkowski et al.
("Demystifying MMD GANs", ICLR 2018) apply to features of an Inception network. Such weights cannot be assumed on an
offline workstation and were made for photographs. The features here are statistics of what makes the look of a slice:
its intensities, and the strength and shape of its detail at several scales. Values are therefore comparable between
runs of this program, never with the Inception-based numbers of papers. `kernel_mmd` takes any features.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from surgical_style_engine.errors import InputError

INTENSITY_QUANTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
LEVELS = 4
LIMIT = 3.0  # deviations
SEED = 0


def kernel_mmd(
    generated: np.ndarray,
    real: np.ndarray,
    *,
    standardise: bool = True,
    subsets: int = 50,
    subset_size: int = 200,
    seed: int = SEED,
) -> tuple[float, float]:
    """Unbiased polynomial MMD^2 of two sets of features, with k(x, y) = (x.y / d + 1)^3.

    Being unbiased it is 0 on average, and may be slightly negative, when both sets have one distribution.

    Args:
        generated: Features, (n, d).
        real: Features, (m, d).
        standardise: Features of different units are first centred on the real set's mean, divided by its deviation,
            and bent smoothly to at most 3 deviations, or single odd slices would rule the cubic kernel.
        subsets: How many random subsets are compared.
        subset_size: Rows in each. Smaller sets are used whole: then the deviation is that of random halves of the data.
        seed: Of the choice.

    Returns:
        (mean, standard deviation over the subsets).

    Raises:
        InputError: Fewer than 2 rows in a set, or features of different lengths.
    """
    generated, real = np.asarray(generated, np.float64), np.asarray(real, np.float64)
    if generated.ndim != 2 or real.ndim != 2 or generated.shape[1] != real.shape[1]:
        raise InputError(f"The kernel MMD needs features (n, d) and (m, d), not {generated.shape} and {real.shape}.")
    if min(len(generated), len(real)) < 2:
        raise InputError("The kernel MMD needs at least two slices in each set.")
    if standardise:
        spread = real.std(0)
        spread = np.where(spread > 1e-9, spread, 1.0)
        centre = real.mean(0)
        generated, real = (LIMIT * np.tanh((rows - centre) / spread / LIMIT) for rows in (generated, real))
    rng = np.random.default_rng(seed)
    size = min(subset_size, len(generated), len(real))
    whole = size < subset_size
    take = max(2, size // 2) if whole else size
    values = [
        polynomial_mmd(
            generated[rng.choice(len(generated), take, replace=False)], real[rng.choice(len(real), take, replace=False)]
        )
        for _ in range(subsets)
    ]
    mean = polynomial_mmd(generated, real) if whole else float(np.mean(values))
    return mean, float(np.std(values))


def polynomial_mmd(first: np.ndarray, second: np.ndarray) -> float:
    """Unbiased MMD^2 with k(x, y) = (x.y / d + 1)^3 between (n,d) and (m,d)."""
    n, m, d = len(first), len(second), first.shape[1]
    own_first = (first @ first.T / d + 1) ** 3
    own_second = (second @ second.T / d + 1) ** 3
    across = (first @ second.T / d + 1) ** 3
    return float(
        (own_first.sum() - np.trace(own_first)) / (n * (n - 1))
        + (own_second.sum() - np.trace(own_second)) / (m * (m - 1))
        - 2 * across.mean()
    )


def slice_features(slices: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Look statistics of every slice.

    Per slice: quantiles, mean and deviation of the intensities inside the mask; at each of LEVELS scales (halved each
    time) mean magnitude, deviation and kurtosis of the detail (image minus its local mean) and of the gradient, and
    the mean detail within each quarter of the intensities (is it the dark or the bright tissue that is textured?).
    Slices with fewer than 64 pixels inside the mask are left out. Bring all slices to one pixel size first.

    Args:
        slices: (n, h, w) in [-1, 1].
        mask: Bool (n, h, w), what counts; None for all.

    Returns:
        Float64 (rows, d), a row for each slice that was kept.

    Raises:
        InputError: No slice was kept.
    """
    slices = np.asarray(slices, np.float32)
    mask = np.ones(slices.shape, bool) if mask is None else np.broadcast_to(np.asarray(mask, bool), slices.shape)
    rows = [_features(image, inside) for image, inside in zip(slices, mask, strict=True) if inside.sum() >= 64]
    if not rows:
        raise InputError("The kernel MMD: no slice has anything inside the mask.")
    return np.stack(rows)


def _features(image: np.ndarray, inside: np.ndarray) -> np.ndarray:
    values = image[inside]
    statistics = [*np.percentile(values, INTENSITY_QUANTILES), values.mean(), values.std()]
    for level in range(LEVELS):
        smooth = _smooth(image)
        detail = image - smooth
        gradient = np.hypot(*np.gradient(image))
        weight = inside if inside.sum() >= 16 else np.ones_like(inside)
        for band in (detail[weight], gradient[weight]):
            deviation = band.std()
            centred = (band - band.mean()) / max(deviation, 1e-6)
            statistics += [np.abs(band).mean(), deviation, np.log1p((centred**4).mean())]
        edges = np.percentile(image[weight], (25, 50, 75))
        quarter = np.digitize(image[weight], edges)
        sizes = np.maximum(np.bincount(quarter, minlength=4), 1)
        statistics += list(np.bincount(quarter, weights=np.abs(detail[weight]), minlength=4) / sizes)
        if min(image.shape) < 16:
            statistics += [0.0] * (10 * (LEVELS - 1 - level))
            break
        height, width = (size // 2 * 2 for size in image.shape)
        image = smooth[:height:2, :width:2]
        inside = inside[:height:2, :width:2]
    return np.array(statistics, np.float64)


def _smooth(image: np.ndarray) -> np.ndarray:
    """5 x 5 binomial blur with mirrored borders."""
    weights = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
    for axis in (0, 1):
        padded = np.pad(image, [(2, 2) if a == axis else (0, 0) for a in (0, 1)], mode="reflect")
        length = image.shape[axis]
        parts = (w * padded.take(np.arange(k, k + length), axis=axis) for k, w in enumerate(weights))
        image = cast(np.ndarray, sum(parts))
    return image
