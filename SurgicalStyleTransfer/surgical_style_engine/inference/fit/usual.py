"""How usual a volume is among those that a style was trained on, by the recogniser's features.

A distance of Mahalanobis' kind (Lee et al., NeurIPS 2018): along the directions in which the training volumes differ
most, in units of their spread; all other directions share one spread. Its limit is conformal (Vovk et al., 2005): every
patient is compared with the others, and of their distances that quantile is taken which a new patient stays below
with the stated probability.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

AXES = 8
SHARE = 0.95  # of new patients that are to pass as usual
LEAST_PATIENTS = 4
_LEAST_SPREAD = 1e-3


def usual_statistics(
    embeddings: Sequence[np.ndarray], patients: Sequence[str], digest: str, margin: float = 1.0
) -> dict[str, Any] | None:
    """Describe the training volumes of a domain.

    Args:
        embeddings: (features,) of every volume.
        patients: whose it is.
        digest: of the recogniser that made the embeddings.
        margin: the limit is multiplied by it, for networks that have seen these very volumes.

    Returns:
        What a model's card keeps; None for fewer than LEAST_PATIENTS patients.
    """
    names = sorted(set(patients))
    if len(names) < LEAST_PATIENTS:
        return None
    values = np.asarray(embeddings, float)
    whose = np.array([names.index(patient) for patient in patients])
    distances = []
    for number in range(len(names)):
        others = _described(values[whose != number])
        distances.append(max(_distance(row, others) for row in values[whose == number]))
    rank = min(math.ceil(SHARE * (len(names) + 1)), len(names))
    limit = sorted(distances)[rank - 1] * margin
    packed = {key: _packed(part) for key, part in _described(values).items()}
    return {"recogniser": digest, "patients": len(names), "limit": round(limit, 3), **packed}


def unusual_distance(embedding: np.ndarray, statistics: Mapping[str, Any], digest: str) -> tuple[float, float] | None:
    """Compare a volume with a domain's training volumes.

    Args:
        embedding: (features,) of the volume.
        statistics: as ``usual_statistics`` gave them; a card may come from anybody.
        digest: of the recogniser that made the embedding.

    Returns:
        Its distance and the limit of what is usual; None where they cannot be compared.
    """
    try:
        if statistics["recogniser"] != digest:
            return None
        parts = {key: _unpacked(statistics[key]) for key in ("mean", "axes", "spread", "rest")}
        parts["axes"] = parts["axes"].reshape(len(parts["spread"]), len(parts["mean"]))
        limit = float(statistics["limit"])
        distance = _distance(embedding, parts)
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    return (distance, limit) if math.isfinite(distance) and math.isfinite(limit) and limit > 0 else None


def _packed(array: np.ndarray) -> str:
    """An array as text, in half precision: cards stay small enough to be read."""
    return base64.b64encode(np.ravel(array).astype("<f2").tobytes()).decode("ascii")


def _unpacked(text: str) -> np.ndarray:
    """Raises ValueError or TypeError for what ``_packed`` has not written."""
    return np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(float)


def _described(values: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, main directions with their spread, and the spread of what is left."""
    mean = values.mean(axis=0)
    centred = values - mean
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    count = min(AXES, len(values) - 1, len(directions))
    variances = singular**2 / max(len(values) - 1, 1)
    left = float(variances[count:].sum()) / max(centred.shape[1] - count, 1)
    # Few volumes show too little spread in some directions: all are drawn towards their mean.
    spread = np.sqrt(0.9 * variances[:count] + 0.1 * variances[:count].mean() + _LEAST_SPREAD**2)
    rest = np.sqrt(left + 0.02 * variances[:count].mean() + _LEAST_SPREAD**2)
    return {"mean": mean, "axes": directions[:count], "spread": spread, "rest": np.asarray(rest)}


def _distance(embedding: np.ndarray, parts: Mapping[str, np.ndarray]) -> float:
    """Root mean square of the differences in units of spread: about 1 for a training volume."""
    centred = np.asarray(embedding, float) - parts["mean"]
    along = parts["axes"] @ centred
    beside = centred - parts["axes"].T @ along
    squares = float(((along / parts["spread"]) ** 2).sum() + (beside @ beside) / float(parts["rest"].item()) ** 2)
    return math.sqrt(squares / len(centred))
