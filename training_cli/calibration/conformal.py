"""Conformal calibration of an error model over patients, and what its bounds cover of a patient left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surgical_style_engine.metrics.uncertainty.bound import groups_of, raw_bounds
from surgical_style_engine.models.calibration import ErrorModel

from .samples import Patient, Voxels

LEAST_VOXELS = 100  # of a patient in a group, for its scores to count there


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

    Where it is abnormal the bound has to hold for the group and for the labelled tumours in it.
    """
    whole = [(each.scores, each.groups, each.patient.body.weights) for each in patients]
    overall = _pooled([(scores, weights) for scores, _, weights in whole], level)
    factors = []
    for group in range(6):
        parts = [(scores[groups == group], weights[groups == group]) for scores, groups, weights in whole]
        factor = _pooled([part for part in parts if len(part[0]) >= LEAST_VOXELS], level) or overall or 1.0
        if group >= 3:
            tumours = [each.tumour_scores[each.tumour_groups == group] for each in patients]
            tumours = [scores for scores in tumours if len(scores) >= LEAST_VOXELS]
            held = _pooled([(scores, np.ones(len(scores))) for scores in tumours], level)
            factor = max(factor, held or 0.0)
        factors.append(round(float(factor), 5))
    return factors


def weighted_quantile(values: np.ndarray, weights: np.ndarray, level: float) -> float:
    """The smallest of the values (n,) below which, itself included, the share ``level`` of the weights (n,) lies."""
    order = np.argsort(values)
    sums = np.cumsum(weights[order], dtype=np.float64)
    return float(values[order][min(np.searchsorted(sums, level * sums[-1]), len(values) - 1)])


def _pooled(parts: Sequence[tuple[np.ndarray, np.ndarray]], level: float) -> float | None:
    """The quantile of the mean of the patients' distributions; None without any."""
    if not parts:
        return None
    weights = np.concatenate([weights / weights.sum() for _, weights in parts])
    return weighted_quantile(np.concatenate([scores for scores, _ in parts]), weights, level)


def _scores(model: ErrorModel, voxels: Voxels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    features = voxels.features[:, : len(model.features)]
    raw = raw_bounds(model, features)
    return raw, voxels.errors / raw, groups_of(model, features)
