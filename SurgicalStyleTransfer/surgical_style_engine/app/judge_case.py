"""Judge a translated volume: the region that is judged, and the metrics of the image that is delivered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.blend import mask_on_grid
from surgical_style_engine.inference.cycle import cycle_of
from surgical_style_engine.inference.result import Translation
from surgical_style_engine.metrics.cycle import CycleMetrics
from surgical_style_engine.metrics.reference import masked_slice_means
from surgical_style_engine.metrics.region import judged_region
from surgical_style_engine.metrics.registry import JudgedCase, add_computed, metrics
from surgical_style_engine.metrics.structure import semantic_consistency, structure_agreement
from surgical_style_engine.metrics.worst_slices import named_slices
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.geometry import coarsest_axis
from surgical_style_engine.volumes.volume import Volume

from .against_reference import ReferenceComparison, rounded, without_slices
from .delivered import Delivered
from .judging import Judging
from .trust.error_bound import ErrorBound, bound_or_reason
from .trust.verdict import verdict_of

FEWEST_SAMPLED = 4  # slices of a sampled cycle
SHARE = 2  # a sampled cycle takes one part of so many of the translation
DELIVERED, NETWORK = "delivered", "network"  # what a report says that it judged


@dataclass(frozen=True, eq=False)
class JudgeCase:
    """What is to be judged.

    Attributes:
        volume: the input, (c, z, y, x).
        model: what translated it.
        translation: what came of it, with its normalised arrays.
        direction: "forward" or "backward".
        mask: the labelmap outside of which the input stayed, on any grid; None for none.
        labels: labelmap of what is judged, on any grid, or an array (z, y, x) on the input's; the mask's if None, and
            the body without either.
        reference: registered volume of the target domain on the input's grid (never an unpaired one).
        valid: where the reference has voxels, bool (z, y, x); None for everywhere.
        judging: how to judge.
        cycle: cycle metrics that are known already.
        options: how the network is run for the cycle.
    """

    volume: Volume
    model: StyleModel
    translation: Translation
    direction: str = "forward"
    mask: Volume | None = None
    labels: Volume | np.ndarray | None = None
    reference: Volume | None = None
    valid: np.ndarray | None = None
    judging: Judging = field(default_factory=Judging)
    cycle: CycleMetrics | None = None
    options: RunOptions = field(default_factory=RunOptions)


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was found.

    Attributes:
        quality: the metrics, ready for JSON: look_ahead_score, look_ahead_score_raw, jigsaw_puzzle_error,
            jigsaw_puzzle_error_raw (normalised units, range [-1, 1]; None without a way back), cycle_slices (how many
            were judged), cycle_judges ("network"), judged ("delivered"), semantic_consistency [0, 1],
            semantic_consistency_method, mask ("given" or "body"), mask_fraction, reference (None or what
            ``ReferenceComparison.with_floors`` says), network (None where the network's output is delivered as it is,
            else its semantic_consistency and reference), slices {axis, look_ahead, semantic_consistency} with one
            value a slice, None where nothing is judged; worst, see ``named_slices``; disagreement (mean, normalised
            units) where several planes or variants were run; verdict, see ``trust.verdict.Verdict.entry``; and what the
            registry computes.
        cycle: the cycle metrics with their maps, None without.
        region: where everything was judged, bool (z, y, x).
        bound: of the error of every voxel, in the target's units; None where it is not calibrated.
    """

    quality: dict[str, Any]
    cycle: CycleMetrics | None
    region: np.ndarray
    bound: ErrorBound | None = None


def judge_case(case: JudgeCase) -> Judgement:
    """Judge a translated volume.

    Everything is judged in one region (``metrics.region.judged_region``): the labels, where they are not zero, inside
    the body; metrics against a reference where that has voxels, too. Metrics are of the image that is delivered, with
    strength, mask and adjustments; the network's own stand beside them under ``network`` where that is another image.
    The cycle metrics judge the network in any case: there is no way back from a blend.

    Args:
        case: what to judge, and how.

    Returns:
        The metrics.

    Raises:
        InputError: for an empty mask, a reference on another grid, or one that covers nothing of the region.
        Cancelled: while the cycle runs.
    """
    region = region_of(case)
    cycle = case.cycle
    if cycle is None and case.judging.cycle:
        cycle = _cycle(case, region)
    delivered = Delivered(case.volume, case.model, case.translation, case.direction, case.mask)
    axis = coarsest_axis(case.volume)
    comparison = _comparison(case, region, axis)
    consistency, consistency_slices = _consistency(case, delivered, region, axis)
    quality = {
        **_cycle_entries(cycle),
        "judged": DELIVERED,
        "semantic_consistency": consistency,
        "semantic_consistency_method": "self-similarity" if case.judging.segmentations is None else "dice",
        "mask": "body" if _labels(case) is None else "given",
        "mask_fraction": float(region.mean()),
        "reference": None if comparison is None else comparison.with_floors(delivered.image, delivered.input),
        "network": _network_entry(delivered, region, axis, comparison),
        "slices": {
            "axis": "zyx"[axis],
            "look_ahead": rounded(masked_slice_means(cycle.error, region, axis)) if cycle else None,
            "semantic_consistency": rounded(consistency_slices),
        },
    }
    _add_registered(quality, case, delivered, region, comparison)
    if case.judging.lpips and comparison is not None:
        _add_lpips(quality["reference"], case, delivered, region, comparison)
    quality["worst"] = named_slices(case.volume, quality)
    if case.translation.disagreement is not None:
        quality["disagreement"] = float(case.translation.disagreement.array[0][region].mean(dtype=np.float64))
    bound = _add_verdict(quality, case, region)
    return Judgement(quality, cycle, region, bound)


def _consistency(case: JudgeCase, delivered: Delivered, region: np.ndarray, axis: int) -> tuple[float, np.ndarray]:
    """Semantic Consistency of the delivered image, and of each slice."""
    consistency, slices = structure_agreement(delivered.input, delivered.image, region, slice_axis=axis)
    if case.judging.segmentations is not None:
        first, second = case.judging.segmentations
        consistency = semantic_consistency(
            delivered.input, delivered.image, region, source_labels=first, translated_labels=second, slice_axis=axis
        )
    return consistency, slices


def _network_entry(
    delivered: Delivered, region: np.ndarray, axis: int, comparison: ReferenceComparison | None
) -> dict[str, Any] | None:
    """The network's own metrics, where something else is delivered."""
    if delivered.image is delivered.network:
        return None
    return {
        "semantic_consistency": structure_agreement(delivered.input, delivered.network, region, slice_axis=axis)[0],
        "reference": None if comparison is None else without_slices(comparison.metrics(delivered.network)),
    }


def _add_registered(
    quality: dict[str, Any],
    case: JudgeCase,
    delivered: Delivered,
    region: np.ndarray,
    comparison: ReferenceComparison | None,
) -> None:
    """Add the metrics that the registry computes one by one."""
    if not any(metric.compute for metric in metrics()):
        return
    judged = JudgedCase(
        source=delivered.input,
        delivered=delivered.image,
        region=region,
        reference=None if comparison is None else comparison.normalized,
        valid=case.valid,
        slice_axis=coarsest_axis(case.volume),
        spacing=case.volume.spacing[::-1],
    )
    add_computed(quality, judged, None if comparison is None else comparison.floors(delivered.input))


def _add_lpips(
    entry: dict[str, Any], case: JudgeCase, delivered: Delivered, region: np.ndarray, comparison: ReferenceComparison
) -> None:
    """Add LPIPS, or its unweighted form, of the delivered image and of the floors. Raises InputError."""
    from surgical_style_engine.stylize.lpips import load_distance  # noqa: PLC0415 - torch is loaded with it

    metric = load_distance()
    floors = comparison.floors(delivered.input)
    where = region if case.valid is None else region & case.valid
    images = {DELIVERED: delivered.image, **floors}
    distances = metric.of_volumes(images, comparison.normalized, where, coarsest_axis(case.volume))
    entry[metric.key] = distances[DELIVERED]
    for name in floors:
        entry["floors"][name][metric.key] = distances[name]


def _add_verdict(quality: dict[str, Any], case: JudgeCase, region: np.ndarray) -> ErrorBound | None:
    """Add the verdict in words; returns the bound that it rests on."""
    quickness = case.judging.uncertainty
    if quickness is None:
        return None
    calibration, bound, why = bound_or_reason(
        case.volume, case.model, case.direction, case.translation, region, case.mask, quickness, case.options
    )
    quality["verdict"] = verdict_of(quality, case.translation.doubts, calibration, bound, why).entry()
    return bound


def region_of(case: JudgeCase) -> np.ndarray:
    """Where a case is judged, bool (z, y, x). Raises InputError for labels without any."""
    labels = _labels(case)
    if isinstance(labels, Volume):
        labels = mask_on_grid(labels, case.volume)[0]
    return judged_region(labels, body_mask(case.volume))


def _labels(case: JudgeCase) -> Volume | np.ndarray | None:
    return case.mask if case.labels is None else case.labels


def _cycle(case: JudgeCase, region: np.ndarray) -> CycleMetrics | None:
    judging = case.judging
    limit = judging.max_slices_on_cpu if case.translation.device == "cpu" else None
    limit = limit if judging.max_slices is None else judging.max_slices
    if judging.sampled:
        few = max(FEWEST_SAMPLED, case.translation.slices // (SHARE * (6 if judging.jigsaw else 2)))
        limit = few if limit is None else min(few, limit)
    return cycle_of(
        case.volume,
        case.model,
        case.translation,
        direction=case.direction,
        mask=region,
        jigsaw=judging.jigsaw,
        max_slices=limit,
        options=case.options,
    )


def _cycle_entries(cycle: CycleMetrics | None) -> dict[str, Any]:
    score, puzzle = (cycle.look_ahead, cycle.jigsaw) if cycle else (None, None)
    return {
        "look_ahead_score": score and score.value,
        "look_ahead_score_raw": score and score.raw,
        "jigsaw_puzzle_error": puzzle and puzzle.value,
        "jigsaw_puzzle_error_raw": puzzle and puzzle.raw,
        "cycle_slices": cycle and cycle.slices,
        "cycle_judges": NETWORK,
    }


def _comparison(case: JudgeCase, region: np.ndarray, axis: int) -> ReferenceComparison | None:
    if case.reference is None:
        return None
    if not case.reference.same_grid(case.volume):
        raise InputError("The reference is not on the input's grid: register it first (sst register).")
    if case.valid is not None:
        region = judged_region(region, region, case.valid)
        if not region.any():
            raise InputError("The reference does not cover the body mask.")
    return ReferenceComparison(case.reference, case.model.card.domain_to(case.direction), region, axis)
