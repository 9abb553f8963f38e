"""Semantic Consistency: does the translation keep the anatomy, whatever it does to the contrast?

Self-similarity descriptors in the manner of MIND (Heinrich et al., Medical Image Analysis 2012) and its
self-similarity context (Heinrich et al., MICCAI 2013): they describe at each pixel which of its neighbouring
patches resemble each other, which no change of contrast, not even an inverted one, alters.
"""

from __future__ import annotations

from itertools import combinations
from typing import cast

import numpy as np

from surgical_style_engine.errors import InputError

STEP = 2  # pixels from the centre to the four patches that are compared
RADIUS = 1  # patches of 3 x 3 pixels
NOISE_FLOOR = 0.1  # of the mean variance: where there is no structure, noise must not count as one
CHANCE_PAIRS = 200_000
SEED = 0


def semantic_consistency(
    source: np.ndarray,
    translated: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    source_labels: np.ndarray | None = None,
    translated_labels: np.ndarray | None = None,
    slice_axis: int = 0,
) -> float:
    """Agreement of structure between x and G(x), in [0, 1]: 1 for the same structure, 0 for no more than chance.

    Per pixel p, with P the 3x3 patches two pixels left, right, above and below, one value per pair (i, j) of the six:
      D_ij(p) = mean over the patch of (I(P_i) - I(P_j))^2,  W(p) = mean_ij D_ij(p),
      V(p) = W(p) + 0.1 * mean of W over the slice's mask,  M_ij(p) = exp(-(D_ij(p) - min_ij D_ij(p)) / V(p)).
    The disagreement d of two pixels is mean_ij |M_ij - M'_ij|, and
      S = max(0, 1 - mean_p d(x_p, y_p) / mean_pq d(x_p, y_q)),
    where q is drawn at random: dividing by the disagreement of unrelated pixels corrects for chance, as kappa does.
    Two real contrasts of one head stay well below 1, since each shows edges the other lacks: compare S between
    models on the same volumes, not with 1.

    Args:
        source: x, (c, z, y, x) of any intensities; channels are averaged.
        translated: G(x), of the same size.
        mask: Bool (z, y, x) or (1, z, y, x); None for everywhere.
        source_labels: Label map of x; with those of both, the mean Dice over their labels is returned instead.
        translated_labels: Label map of G(x).
        slice_axis: 0, 1 or 2 for z, y, x: descriptors are 2-D, in slices across this, the coarsest, axis.

    Raises:
        InputError: Sizes differ, the mask is empty, or there are labels of one volume only.
    """
    if (source_labels is None) != (translated_labels is None):
        raise InputError("Semantic consistency by Dice needs the label maps of both volumes.")
    if source_labels is not None and translated_labels is not None:
        scores = dice(source_labels, translated_labels)
        return float(np.mean(list(scores.values()))) if scores else float("nan")
    return structure_agreement(source, translated, mask, slice_axis=slice_axis)[0]


def structure_agreement(
    source: np.ndarray, translated: np.ndarray, mask: np.ndarray | None = None, *, slice_axis: int = 0
) -> tuple[float, np.ndarray]:
    """`semantic_consistency` of the volume and of every slice.

    Returns:
        (S, float (s,) with NaN where the mask is empty).
    """
    x, y = _slices(source, slice_axis), _slices(translated, slice_axis)
    if x.shape != y.shape:
        raise InputError(f"Semantic consistency needs volumes of one size, not {x.shape} and {y.shape}.")
    region = np.ones(x.shape, bool) if mask is None else _slices(mask, slice_axis).astype(bool)
    if not region.any():
        raise InputError("The mask for the semantic consistency is empty.")
    rng = np.random.default_rng(SEED)
    share = min(1.0, CHANCE_PAIRS / np.count_nonzero(region))
    apart, counts = np.full(len(x), np.nan), np.zeros(len(x), np.int64)
    samples_x, samples_y = [], []
    for index in np.flatnonzero(region.any((1, 2))):
        box = _seen_from(region[index])
        inside = region[index][box]
        mx, my = descriptors(x[index][box], inside)[:, inside], descriptors(y[index][box], inside)[:, inside]
        counts[index] = mx.shape[1]
        apart[index] = np.abs(mx - my).mean(dtype=np.float64)
        chosen = rng.random(mx.shape[1]) < share
        samples_x.append(mx[:, chosen])
        samples_y.append(my[:, chosen])
    all_x, all_y = np.concatenate(samples_x, 1), np.concatenate(samples_y, 1)
    chance = np.abs(all_x - all_y[:, rng.permutation(all_y.shape[1])]).mean(dtype=np.float64) if all_x.size else 0.0
    total = float(np.nansum(apart * counts) / counts.sum())
    if chance <= 1e-12:  # both flat: nothing to keep, nothing lost; one flat is caught by chance > 0
        return (1.0 if total <= 1e-12 else 0.0), np.where(counts > 0, 1.0, np.nan)
    return float(np.clip(1 - total / chance, 0, 1)), np.clip(1 - apart / chance, 0, 1)


def _seen_from(inside: np.ndarray) -> tuple[slice, ...]:
    """Rows and columns of a mask (h, w), and what the descriptors of its pixels look at around them."""
    places = [np.flatnonzero(inside.any(axis)) for axis in (1, 0)]
    return tuple(slice(max(0, int(p[0]) - STEP - RADIUS), int(p[-1]) + STEP + RADIUS + 1) for p in places)


def descriptors(image: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Self-similarity descriptors of one slice: (h,w) -> (6,h,w) float32 in (0, 1]. inside: bool (h,w), the mask."""
    distances = _distances(image)
    variance = distances.mean(0)
    variance += np.float32(max(NOISE_FLOOR * variance[inside].mean(dtype=np.float64), 1e-12))
    distances -= distances.min(0)
    distances /= variance
    return np.exp(-distances, out=distances)


def dice(first: np.ndarray, second: np.ndarray) -> dict[int, float]:
    """Dice overlap per label (background 0 left out) of two integer label maps of one shape; 1 is the same region."""
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape:
        raise InputError(f"Dice needs label maps of one shape, not {first.shape} and {second.shape}.")
    scores = {}
    for label in np.union1d(np.unique(first), np.unique(second)):
        if label == 0:
            continue
        a, b = first == label, second == label
        scores[int(label)] = float(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))
    return scores


def _distances(image: np.ndarray) -> np.ndarray:
    """Mean squared patch differences of the six pairs of neighbours: (h,w) -> (6,h,w) float32."""
    h, w = image.shape
    reach = STEP + RADIUS
    padded = np.pad(np.asarray(image, np.float32), reach, mode="edge")
    grown = h + 2 * RADIUS, w + 2 * RADIUS
    moved = [
        padded[STEP + dy : STEP + dy + grown[0], STEP + dx : STEP + dx + grown[1]]
        for dy, dx in ((-STEP, 0), (STEP, 0), (0, -STEP), (0, STEP))
    ]
    return np.stack([_box((a - b) ** 2) for a, b in combinations(moved, 2)])


def _box(array: np.ndarray) -> np.ndarray:
    """Mean over (2 RADIUS + 1) squared windows, valid part only."""
    width = 2 * RADIUS + 1
    rows = cast(np.ndarray, sum(array[k : array.shape[0] - width + 1 + k] for k in range(width)))
    total = cast(np.ndarray, sum(rows[:, k : rows.shape[1] - width + 1 + k] for k in range(width)))
    return total / np.float32(width * width)


def _slices(array: np.ndarray, axis: int) -> np.ndarray:
    array = np.asarray(array)
    if array.ndim == 4:
        array = array[0] if array.shape[0] == 1 else array.mean(0)
    return np.moveaxis(array, axis, 0)
