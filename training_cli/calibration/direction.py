"""The calibration of one direction of a model, and how it did on every patient left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surgical_style_engine.metrics.uncertainty.bound import CLASSES
from surgical_style_engine.models.calibration import (
    Coverage,
    DirectionCalibration,
    ErrorModel,
    ExpectedPsnr,
    Range,
)

from .conformal import Scored, factors_of, scored, weighted_quantile
from .regression import regressed
from .samples import Patient

LEVEL = 0.9
LEAST_RANK = 0.6  # rank correlation of expected and true PSNR on left-out hospitals, below which no number is given
LEAST_SHARE = 0.01  # of a patient's body in a class, for its coverage to say something
Learn = Callable[[Sequence[Patient], float, bool], ErrorModel]


@dataclass(frozen=True)
class LeftOut:
    """A patient's bounds, by an error model and factors that had not seen the patient.

    Attributes:
        name: Of the patient.
        hospital: Of the patient.
        coverage: Share of voxels within the bound: "all", CLASSES of the translation, "abnormal", "tumour", and the
            tissues of the real image as "tissue 0" to "tissue 2"; only where they are a hundredth of the body.
        width: Mean bound, normalised units.
        promised: 10 log10(4 / mean squared bound), dB.
        psnr: True PSNR, dB.
        consistency: Semantic Consistency.
        untrusted: Share of voxels whose bound is no better than one grey's.
        risk: Mean error of the voxels with the smallest bounds: of the best 10, 20, ... 100 %.
    """

    name: str
    hospital: str
    coverage: dict[str, float]
    width: float
    promised: float
    psnr: float
    consistency: float
    untrusted: float
    risk: list[float]


def calibrated(
    patients: Sequence[Patient], full: bool = False, level: float = LEVEL, learn: Learn = regressed
) -> tuple[DirectionCalibration, dict[str, list[LeftOut]]]:
    """Calibrate a direction on left-out patients.

    The error model for a patient is learned from patients of other hospitals, and the factors for a patient from the
    scores of all others. What is kept is learned from all, with the factors of all those scores (cross-conformal
    prediction, Vovk, 2015).

    Args:
        patients: Translated by networks that had not seen them.
        full: Also find the model that knows the disagreement of turned variants; kept where its bounds are smaller.
        level: Share of voxels to cover.
        learn: How an error model is learned.

    Returns:
        The calibration, and by "quick" and "full" what it did on each patient left out.
    """
    uninformed = weighted_quantile(*_greys(patients), level)
    models, tried = {}, {}
    for name in ("quick", "full") if full else ("quick",):
        scores = _cross_fitted(patients, level, name == "full", learn)
        tried[name] = [_left_out(scores, each, level, uninformed) for each in scores]
        kept = learn(patients, level, name == "full")
        models[name] = kept.model_copy(update={"factors": factors_of(scores, level)})
    quick = tried["quick"]
    return (
        DirectionCalibration(
            quick=models["quick"],
            full=models.get("full") if full and _is_sharper(tried["full"], quick) else None,
            level=level,
            psnr=expected_psnr(quick),
            uninformed=round(uninformed, 5),
            ranges=_ranges(quick),
            coverage=coverage_table(quick),
            patients=len(patients),
            hospitals=len({patient.hospital for patient in patients}),
        ),
        tried,
    )


def expected_psnr(tried: Sequence[LeftOut], level: float = LEVEL) -> ExpectedPsnr | None:
    """What the mean squared bound says of the PSNR; None where that was not shown to tell patients apart.

    A falling line, a higher PSNR for wider bounds, is chance or the work of leaving hospitals out, and tells nothing.
    """
    line = psnr_line(tried, level)
    return line if line is not None and line.slope > 0 and line.spearman >= LEAST_RANK else None


def psnr_line(tried: Sequence[LeftOut], level: float = LEVEL) -> ExpectedPsnr | None:
    """The PSNR by the mean squared bound, however well it tells; None for fewer than five patients or three hospitals.

    A line, tried on each hospital's patients after being laid through the others'; flat where that errs less.
    """
    hospitals = sorted({each.hospital for each in tried})
    if len(tried) < 5 or len(hospitals) < 3:
        return None
    promised, true = np.array([each.promised for each in tried]), np.array([each.psnr for each in tried])
    where = np.array([hospitals.index(each.hospital) for each in tried])
    trials = []
    for sloped in (True, False):
        expected = np.empty(len(tried))
        for number in range(len(hospitals)):
            slope, intercept = _line(promised[where != number], true[where != number], sloped)
            expected[where == number] = intercept + slope * promised[where == number]
        trials.append((float(np.mean((expected - true) ** 2)), sloped, expected))
    _, sloped, expected = min(trials, key=lambda trial: trial[0])
    place = min(int(np.ceil((len(tried) + 1) * level)), len(tried)) - 1
    margin = round(float(np.sort(np.abs(expected - true))[place]), 3)
    slope, intercept = _line(promised, true, sloped)
    return ExpectedPsnr(
        intercept=round(intercept, 4),
        slope=round(slope, 4),
        below=margin,
        above=margin,
        spearman=round(spearman(expected, true), 3) if sloped else 0.0,
    )


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation (Spearman, 1904) of values (n,) and (n,) without ties."""
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def coverage_table(tried: Sequence[LeftOut]) -> dict[str, Coverage]:
    """Mean, deviation and worst over the patients of every coverage."""
    table = {}
    for name in dict.fromkeys(name for each in tried for name in each.coverage):
        values = np.array([each.coverage[name] for each in tried if name in each.coverage])
        numbers = {"mean": values.mean(), "deviation": values.std(), "worst": values.min()}
        table[name] = Coverage(patients=len(values), **{key: round(float(v), 4) for key, v in numbers.items()})
    return table


def _line(x: np.ndarray, y: np.ndarray, sloped: bool) -> tuple[float, float]:
    """Slope and intercept of the line through points; flat if it is not to have a slope."""
    slope = float(np.polyfit(x, y, 1)[0]) if sloped and np.ptp(x) > 0 else 0.0
    return slope, float(np.mean(y) - slope * np.mean(x))


def _is_sharper(first: Sequence[LeftOut], second: Sequence[LeftOut]) -> bool:
    return bool(np.mean([each.width for each in first]) < np.mean([each.width for each in second]))


def _greys(patients: Sequence[Patient]) -> tuple[np.ndarray, np.ndarray]:
    values = [np.concatenate([scan.grey for scan in patient.scans]) for patient in patients]
    return np.concatenate(values), np.concatenate([np.full(len(part), 1 / len(part)) for part in values])


def _cross_fitted(patients: Sequence[Patient], level: float, full: bool, learn: Learn) -> list[Scored]:
    """Every patient scored by a model that was learned from other hospitals."""
    scores = []
    for hospital in sorted({patient.hospital for patient in patients}):
        others = [patient for patient in patients if patient.hospital != hospital]
        model = learn(others, level, full)
        scores += [scored(model, patient) for patient in patients if patient.hospital == hospital]
    return scores


def _left_out(scores: Sequence[Scored], one: Scored, level: float, uninformed: float) -> LeftOut:
    factors = np.asarray(factors_of([each for each in scores if each is not one], level))
    body = one.patient.body
    allowed = factors[one.groups]
    bounds, covered = allowed * one.raw, one.scores <= allowed
    parts: dict[str, Any] = {"all": np.ones(len(covered), bool), "abnormal": one.groups >= 3}
    parts |= {name: one.groups % 3 == number for number, name in enumerate(CLASSES)}
    parts |= {f"tissue {number}": body.tissues == number for number in range(3)}
    weights = body.weights
    coverage = {
        name: float(np.average(covered[part], weights=weights[part]))
        for name, part in parts.items()
        if part.mean() >= LEAST_SHARE
    }
    if len(one.tumour_scores):
        coverage["tumour"] = float((one.tumour_scores <= factors[one.tumour_groups]).mean())
    order = np.argsort(bounds)
    ends = (np.arange(1, 11) * len(order) / 10).astype(int)
    sorted_errors = body.errors[order]
    return LeftOut(
        name=one.patient.name,
        hospital=one.patient.hospital,
        coverage=coverage,
        width=float(np.average(bounds, weights=weights)),
        promised=float(10 * np.log10(4 / np.average(bounds.astype(np.float64) ** 2, weights=weights))),
        psnr=one.patient.psnr,
        consistency=float(np.mean([scan.consistency for scan in one.patient.scans])),
        untrusted=float(np.average(bounds >= uninformed, weights=weights)),
        risk=[float(sorted_errors[:end].mean()) for end in ends],
    )


def _ranges(tried: Sequence[LeftOut]) -> dict[str, Range]:
    values = {
        "mean_bound": [each.width for each in tried],
        "untrusted_share": [each.untrusted for each in tried],
        "semantic_consistency": [each.consistency for each in tried],
        "psnr": [each.psnr for each in tried],
    }
    return {name: Range(low=round(min(numbers), 4), high=round(max(numbers), 4)) for name, numbers in values.items()}
