"""Conformal calibration of an error model over patients, and what its bounds cover of a patient left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surgical_style_engine.metrics.uncertainty.bound import raw_bounds_and_groups
from surgical_style_engine.models.calibration import ErrorModel

from .samples import Patient, Voxels

LEAST_VOXELS = 100  # of a patient in a group, for its scores to count there
MOST_BEYOND = 0.025  # of bodies, that is covered beyond the level for the sake of tumours
LEVELS_BELOW = (0.0, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03)  # by which ordinary groups may be covered less, in turn
# Quantiles of the tumours' scores that are tried in turn, as shares of the way from the level to all of them.
STEPS = (-9, -4, -2, -1, 0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1)


@dataclass(frozen=True, eq=False)
class Scored:
    """A patient's errors over the raw bounds of an error model that had not seen the patient.

    Attributes:
        patient: Whose they are.
        raw: (n,) raw bounds of the body's voxels.
        scores: (n,) errors over them.
        groups: (n,) see ``metrics.uncertainty.bound.groups_of``.
        tumour_raw, tumour_scores, tumour_groups: The same of tumours; empty without.
    """

    patient: Patient
    raw: np.ndarray
    scores: np.ndarray
    groups: np.ndarray
    tumour_raw: np.ndarray
    tumour_scores: np.ndarray
    tumour_groups: np.ndarray


def scored(model: ErrorModel, patient: Patient) -> Scored:
    """Scores of a patient by a model that was not learned from this patient."""
    empty = np.empty(0, np.float32)
    body, tumour = _scores(model, patient.body), (empty, empty, empty.astype(int))
    if patient.tumour is not None:
        tumour = _scores(model, patient.tumour)
    return Scored(patient, *body, *tumour)


def factors_of(patients: Sequence[Scored], level: float) -> list[float]:
    """The six groups' factors: quantiles of scores pooled over patients with equal weight (Dunn et al., JASA 2023).

    The bound has to hold for each group. Labelled tumours lie in all of them, but are told from the rest in those that
    are abnormal: there it is widened until it holds for tumours as a whole, see `_with_tumours`. Where that covers
    bodies by more than ``MOST_BEYOND`` above the level, ordinary groups give way by ``LEVELS_BELOW`` at most.
    """
    whole = [(each.scores, each.groups, each.patient.body.weights) for each in patients]
    tumours = [(each.tumour_scores, each.tumour_groups) for each in patients if len(each.tumour_scores)]
    levels = [level - below for below in LEVELS_BELOW]
    overall = _pooled([(scores, weights) for scores, _, weights in whole], levels) or [1.0] * len(levels)
    by_group = []
    for group in range(6):
        parts = [(scores[groups == group], weights[groups == group]) for scores, groups, weights in whole]
        by_group.append(_pooled([part for part in parts if len(part[0]) >= LEAST_VOXELS], levels) or overall)
    factors = np.ones(6)
    for place in range(len(levels)):
        factors = np.array([values[place if group < 3 else 0] for group, values in enumerate(by_group)])
        factors = _with_tumours(factors, tumours, level)
        covered = [np.average(scores <= factors[groups], weights=weights) for scores, groups, weights in whole]
        if np.mean(covered) <= level + MOST_BEYOND:
            break
    return [round(float(factor), 5) for factor in factors]


def _with_tumours(factors: np.ndarray, tumours: list[tuple[np.ndarray, np.ndarray]], level: float) -> np.ndarray:
    """The factors with those of abnormal groups widened to the scores of the tumours in them.

    All at one quantile: the least at which the mean coverage of the patients' tumours, those voxels included that were
    taken for ordinary, is ``level``.
    """
    if not tumours:
        return factors
    quantiles = [level + step * (1 - level) for step in STEPS]
    by_group: list[list[float] | None] = []
    for group in range(3, 6):
        parts = [scores[groups == group] for scores, groups in tumours]
        parts = [scores for scores in parts if len(scores) >= LEAST_VOXELS]
        by_group.append(_pooled([(scores, np.ones(len(scores))) for scores in parts], quantiles))
    widened = factors
    for place in range(len(quantiles)):
        widened = factors.copy()
        for group, values in zip(range(3, 6), by_group, strict=True):
            if values is not None:
                widened[group] = max(factors[group], values[place])
        if np.mean([(scores <= widened[groups]).mean() for scores, groups in tumours]) >= level:
            break
    return widened


def weighted_quantile(values: np.ndarray, weights: np.ndarray, level: float) -> float:
    """The smallest of the values (n,) below which, itself included, the share ``level`` of the weights (n,) lies."""
    return weighted_quantiles(values, weights, [level])[0]


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, levels: Sequence[float]) -> list[float]:
    """The same for several levels."""
    order = np.argsort(values)
    sums = np.cumsum(weights[order], dtype=np.float64)
    places = np.minimum(np.searchsorted(sums, np.asarray(levels) * sums[-1]), len(values) - 1)
    return values[order][places].tolist()


def _pooled(parts: Sequence[tuple[np.ndarray, np.ndarray]], levels: Sequence[float]) -> list[float] | None:
    """Quantiles of the mean of the patients' distributions; None without any."""
    if not parts:
        return None
    weights = np.concatenate([weights / weights.sum() for _, weights in parts])
    return weighted_quantiles(np.concatenate([scores for scores, _ in parts]), weights, levels)


def _scores(model: ErrorModel, voxels: Voxels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    raw, groups = raw_bounds_and_groups(model, voxels.features[:, : len(model.features)])
    return raw, voxels.errors / raw, groups
