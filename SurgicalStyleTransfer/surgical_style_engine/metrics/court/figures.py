"""The figures that candidates are compared by, and the order that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from surgical_style_engine.metrics.metric import IMAGE, REFERENCE, JudgedCase, Metric
from surgical_style_engine.metrics.registry import metric, metrics

from .edges import edge_offset
from .mixture import tissue_agreement


def edge_agreement(case: JudgedCase) -> float | None:
    """Correlation of the gradient magnitudes of an image and the real one, within slices; None of a flat image."""
    ours, real = _gradients(case)
    if not ours.size or ours.std() < 1e-6 or real.std() < 1e-6:
        return None
    return float(np.corrcoef(ours, real)[0, 1])


def sharpness(case: JudgedCase) -> float | None:
    """Mean gradient magnitude over that of the real image, within slices; None where that is flat."""
    ours, real = _gradients(case)
    return (
        float(ours.mean(dtype=np.float64) / real.mean(dtype=np.float64)) if real.size and real.mean() > 1e-6 else None
    )


def _gradients(case: JudgedCase) -> tuple[np.ndarray, np.ndarray]:
    """Gradient magnitudes of the delivered and of the real image where the region is two voxels deep."""
    axes = [axis for axis in range(3) if axis != case.slice_axis and case.region.shape[axis] > 1]
    inner = case.region.copy()
    for axis in axes:
        inner &= np.roll(case.region, 2, axis) & np.roll(case.region, -2, axis)
    images = (case.delivered[0], case.delivered[0] if case.reference is None else case.reference[0])
    first, second = (
        np.sqrt(np.sum([np.gradient(image, axis=axis) ** 2 for axis in axes], axis=0))[inner] for image in images
    )
    return first, second


def _tissues(case: JudgedCase) -> float | None:
    return None if case.reference is None else tissue_agreement(case.delivered[0], case.reference[0], case.region)


def _offset(case: JudgedCase) -> float | None:
    return edge_offset(case.source[0], case.delivered[0], case.region, case.spacing).median_mm


_OWN = (
    Metric(
        "edges",
        "Edge agreement",
        "correlation of gradient magnitudes with the real image",
        higher_is_better=True,
        best=1,
        needs_reference=True,
        compute=edge_agreement,
    ),
    Metric(
        "sharpness",
        "Sharpness",
        "mean gradient magnitude over the real image's",
        format="{:.2f}",
        best=1,
        needs_reference=True,
        compute=sharpness,
    ),
    Metric(
        "tissue_dice",
        "Tissue Dice",
        "classes of a Gaussian mixture fitted to each image by itself",
        higher_is_better=True,
        best=1,
        needs_reference=True,
        compute=_tissues,
    ),
    Metric(
        "edge_offset_mm",
        "Edge offset",
        "of the input's edges, by block matching of gradient magnitudes; median",
        unit="mm",
        format="{:.2f}",
        higher_is_better=False,
        best=0,
        group=IMAGE,
        compute=_offset,
    ),
)
# Computed elsewhere: lesions where there are labels, errors where there is a map of them.
_GIVEN = (
    Metric(
        "lesions_seen",
        "Lesions seen",
        "part of the real image's visible lesions that the image shows",
        format="{:.0%}",
        higher_is_better=True,
        best=1,
        group=IMAGE,
    ),
    Metric("lesion_contrast", "Lesion contrast", "over the real image's, median", format="{:.2f}", best=1, group=IMAGE),
    Metric(
        "invented_per_100_ml",
        "Invented",
        "spots that the real image lacks, per 100 ml",
        format="{:.2f}",
        higher_is_better=False,
        best=0,
        group=IMAGE,
    ),
    Metric(
        "coverage",
        "Coverage",
        "part of the voxels whose error is within the error map's bound",
        format="{:.1%}",
        group=IMAGE,
    ),
    Metric("bound", "Bound", "mean of the error map, out of 2", higher_is_better=False, group=IMAGE),
)
_COMPARED = ("psnr", "ssim", "ms_ssim", "mae_normalised")  # of the registry


def figures() -> tuple[Metric, ...]:
    """All of them, in the order of tables: the registry's, those that installed packages add, the court's own."""
    others = [entry for entry in metrics(REFERENCE) if entry.compute is not None]
    return (*(metric(key) for key in _COMPARED), *others, *_OWN, *_GIVEN)


def judged_values(case: JudgedCase) -> dict[str, float | None]:
    """Every figure that is computed of a case by itself (not those of ``reference_metrics``), by its key."""
    return {
        entry.key: None if (value := entry.compute(case)) is None else float(value)
        for entry in figures()
        if entry.compute is not None
    }


def distance_from_best(entry: Metric, value: float | None) -> float | None:
    """How bad a value is: lower is better whatever the figure; None where there is no telling."""
    if value is None or (entry.higher_is_better is None and entry.best is None):
        return None
    if entry.higher_is_better is None:
        return abs(float(np.log(max(value, 1e-6) / entry.best))) if entry.best else abs(value)
    return -value if entry.higher_is_better else value


def mean_ranks(values: Sequence[Mapping[str, float | None]]) -> list[float | None]:
    """Mean rank of each candidate over all figures that every candidate has; 1 is best, ties share their ranks.

    Args:
        values: A dict a candidate, value by figure.

    >>> mean_ranks([{"psnr": 20.0, "ssim": 0.7}, {"psnr": 18.0, "ssim": 0.7}])
    [1.25, 1.75]
    """
    ranks = []
    for entry in figures():
        badness = [distance_from_best(entry, candidate.get(entry.key)) for candidate in values]
        known = [value for value in badness if value is not None]
        if len(known) == len(values):
            ranks.append([np.mean([(other < own) + (other == own) / 2 for other in known]) for own in known])
    if not ranks:
        return [None] * len(values)
    count = len(values)
    return [float(count * value + 0.5) for value in np.mean(ranks, axis=0)]
