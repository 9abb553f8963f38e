"""Metrics of a fusion: how much of each input is found in the result, all inside the body mask.

There is no right answer to compare with, so every metric stands beside two floors: the reference alone (no fusion) and
the plain average of the inputs. The reference alone has all of one input and is hard to beat in sums over inputs; how
much is kept of the input served worst tells more.

Gradients and windows are two-dimensional, in slices across the coarsest axis, as in the papers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.volumes.geometry import coarsest_axis

from .result import Fusion

BINS = 64  # of joint histograms, over [0, 1]
ENTROPY_BINS = 256
STRENGTH = (0.9994, -15.0, 0.5)  # Gamma, kappa, sigma of Xydeas and Petrovic for edge strength
ORIENTATION = (0.9879, -22.0, 0.8)  # and for orientation
RADIUS = 3  # pixels: windows of 7 x 7, where Piella and Heijmans take 8 x 8
C1, C2 = 0.01**2, 0.03**2  # Wang et al. 2004, for intensities in [0, 1]
FLOORS_NOTE = "Floors: 'reference' is the reference without any fusion, 'average' the plain mean of the inputs."


def fusion_quality(fusion: Fusion, *, cancelled: Callable[[], bool] | None = None) -> dict[str, Any]:
    """All metrics of a fusion and of both floors.

    Args:
        fusion: What is judged.
        cancelled: Asked from time to time.

    Returns:
        JSON-ready: the keys of ``fusion_metrics``, inputs (names), mask_fraction (of the grid: the body where all
        inputs cover it), floors {reference {...}, average {...}}, floors_note. Empty where no part of the body is
        covered by all inputs.

    Raises:
        Cancelled: When cancelled.
    """
    region = fusion.body & fusion.covered
    if not region.any():
        return {}
    axis = coarsest_axis(fusion.volume)
    average = sum(fusion.inputs) / np.float32(len(fusion.inputs))
    result, reference, mean = fusion_metrics(
        [fusion.fused, fusion.inputs[0], average], fusion.inputs, region, slice_axis=axis, cancelled=cancelled
    )
    return {
        **result,
        "inputs": fusion.names,
        "mask_fraction": float(region.mean()),
        "floors": {"reference": reference, "average": mean},
        "floors_note": FLOORS_NOTE,
    }


def fusion_metrics(
    candidates: list[np.ndarray],
    inputs: list[np.ndarray],
    region: np.ndarray,
    *,
    slice_axis: int = 0,
    cancelled: Callable[[], bool] | None = None,
) -> list[dict[str, Any]]:
    """The metrics of each candidate fusion of some inputs.

    Args:
        candidates: (z, y, x) each, in [0, 1].
        inputs: (z, y, x) each, in [0, 1].
        region: bool (z, y, x), where to judge.
        slice_axis: 0, 1 or 2 for z, y, x: the axis across which slices lie.
        cancelled: Asked from time to time.

    Returns:
        For each candidate:
        mutual_information: with each input, in bits.
        normalized_mutual_information: with each input, 2 I / (H + H), 1 for equal images.
        normalized_mutual_information_lowest: of the input served worst.
        q_abf: Q^AB/F (Xydeas and Petrovic, Electronics Letters 2000) in [0, 1], 0.975 at best by its constants.
        piella, piella_weighted, piella_edge: Q, Q_W and Q_E (Piella and Heijmans, ICIP 2003) in [-1, 1] with SSIM in
        place of the older index, which is undefined in even windows.
        entropy: in bits, of 256 levels; noise raises it too.

    Raises:
        InputError: If the region is empty.
        Cancelled: When cancelled.
    """
    if not region.any():
        raise InputError("The body mask of the fusion is empty.")
    box = _bounding_box(region, slice_axis)
    check = _asking(cancelled)

    def cut(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.moveaxis(array[box], slice_axis, 0))

    inside = cut(region)
    sources = []
    for array in inputs:
        check()
        sources.append(_Image(cut(array)))
    results = []
    for array in candidates:
        check()
        results.append(_metrics(_Image(cut(array)), sources, inside, check))
    return results


def _asking(cancelled: Callable[[], bool] | None) -> Callable[[], None]:
    """A function that raises Cancelled when cancelled."""

    def check() -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("The quality figures were cancelled.")

    return check


def _metrics(image: _Image, sources: list[_Image], inside: np.ndarray, check: Callable[[], None]) -> dict[str, Any]:
    """The metrics of one candidate. inside: bool (s, h, w)."""
    information = [mutual_information(image.array[inside], source.array[inside]) for source in sources]
    check()
    weighted, plain = _piella([(s.array, *s.moments) for s in sources], (image.array, *image.moments), inside)
    check()
    edges, _ = _piella([(s.strength, *s.edge_moments) for s in sources], (image.strength, *image.edge_moments), inside)
    return {
        "mutual_information": [bits for bits, _ in information],
        "normalized_mutual_information": [share for _, share in information],
        "normalized_mutual_information_lowest": min(share for _, share in information),
        "q_abf": _q_abf(sources, image, inside),
        "piella": plain,
        "piella_weighted": weighted,
        "piella_edge": weighted * edges,
        "entropy": entropy(image.array[inside], ENTROPY_BINS),
    }


def entropy(values: np.ndarray, bins: int = ENTROPY_BINS) -> float:
    """Shannon entropy in bits of the histogram of values in [0, 1]."""
    return _entropy(np.bincount(_levels(values, bins)))


def mutual_information(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """(I in bits, 2 I / (H(first) + H(second))) of two lists of values in [0, 1]; 0 where both are constant."""
    a, b = _levels(first, BINS), _levels(second, BINS)
    alone = _entropy(np.bincount(a)), _entropy(np.bincount(b))
    bits = max(sum(alone) - _entropy(np.bincount(a * BINS + b)), 0.0)
    return bits, (2 * bits / sum(alone) if sum(alone) > 0 else 0.0)


class _Image:
    """An image (s,h,w) with its in-plane Sobel gradient, and windowed means and variances of both."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.rows, self.columns = _sobel(array)
        self.strength = np.hypot(self.rows, self.columns)
        self.moments, self.edge_moments = _moments(array), _moments(self.strength)


def _q_abf(sources: list[_Image], fused: _Image, inside: np.ndarray) -> float:
    total, weight = 0.0, 0.0
    f_rows, f_columns, f_strength = (a[inside] for a in (fused.rows, fused.columns, fused.strength))
    for source in sources:
        rows, columns, strength = (a[inside] for a in (source.rows, source.columns, source.strength))
        larger = np.maximum(np.maximum(strength, f_strength), 1e-12)
        kept = np.minimum(strength, f_strength) / larger
        cosine = np.abs(rows * f_rows + columns * f_columns) / np.maximum(strength * f_strength, 1e-12)
        angle = 1 - np.arccos(np.minimum(cosine, 1)) / np.float32(np.pi / 2)
        preserved = _sigmoid(kept, *STRENGTH) * _sigmoid(angle, *ORIENTATION)
        total += float((preserved * strength).sum(dtype=np.float64))
        weight += float(strength.sum(dtype=np.float64))
    return total / weight if weight > 0 else 0.0


_WithMoments = tuple[np.ndarray, np.ndarray, np.ndarray]  # an image (s,h,w), its windowed means and variances


def _piella(inputs: list[_WithMoments], fused: _WithMoments, inside: np.ndarray) -> tuple[float, float]:
    """(Q_W, Q): SSIM to each input, shared by the inputs' variance in each window.

    With and without weights that favour windows where any input has much.
    """
    mean, variance = (a[inside] for a in fused[1:])
    quality, total, largest = np.zeros_like(mean), np.zeros_like(mean), np.zeros_like(mean)
    for array, input_mean, input_variance in inputs:
        product = _box(array * fused[0])[inside]
        m, v = input_mean[inside], input_variance[inside]
        ssim = (2 * m * mean + C1) * (2 * (product - m * mean) + C2)
        ssim /= (m * m + mean * mean + C1) * (v + variance + C2)
        salience = v + np.float32(1e-8)  # even windows: all inputs count alike
        quality += salience * ssim
        total += salience
        np.maximum(largest, salience, out=largest)
    quality /= total
    return float(np.average(quality, weights=largest.astype(np.float64))), float(quality.mean(dtype=np.float64))


def _moments(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = _box(array)
    return mean, np.maximum(_box(array * array) - mean * mean, 0)


def _box(array: np.ndarray) -> np.ndarray:
    """Mean over 7 x 7 pixels of every slice of (s,h,w), borders repeated; a slice at a time stays in the cache."""
    width = 2 * RADIUS + 1
    result = np.empty_like(array)
    for index, image in enumerate(array):
        padded = np.pad(image, RADIUS, mode="edge")
        rows = functools.reduce(np.add, [padded[k : k + image.shape[0]] for k in range(width)])
        result[index] = functools.reduce(np.add, [rows[:, k : k + image.shape[1]] for k in range(width)])
    result *= np.float32(1 / width**2)
    return result


def _sobel(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In-plane derivatives along rows and columns of (s,h,w), borders repeated."""
    p = np.pad(array, ((0, 0), (1, 1), (1, 1)), mode="edge")
    smooth_columns = p[:, :, :-2] + 2 * p[:, :, 1:-1] + p[:, :, 2:]
    smooth_rows = p[:, :-2] + 2 * p[:, 1:-1] + p[:, 2:]
    return smooth_columns[:, 2:] - smooth_columns[:, :-2], smooth_rows[:, :, 2:] - smooth_rows[:, :, :-2]


def _sigmoid(value: np.ndarray, top: float, slope: float, middle: float) -> np.ndarray:
    return np.float32(top) / (1 + np.exp(np.float32(slope) * (value - np.float32(middle))))


def _levels(values: np.ndarray, bins: int) -> np.ndarray:
    return np.clip(np.asarray(values).ravel() * bins, 0, bins - 1).astype(np.int64)


def _entropy(counts: np.ndarray) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(max(-(share * np.log2(share)).sum(), 0.0))


def _bounding_box(region: np.ndarray, slice_axis: int) -> tuple[slice, ...]:
    """The part that holds the region and, in plane, the windows around it."""
    box = []
    for axis in range(3):
        places = np.flatnonzero(region.any(tuple(a for a in range(3) if a != axis)))
        margin = 0 if axis == slice_axis else 2 * RADIUS
        box.append(slice(max(places[0] - margin, 0), places[-1] + 1 + margin))
    return tuple(box)
