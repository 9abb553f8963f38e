"""The linear classifier of contrasts on the measures of ``volumes.recognise.features``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from surgical_style_engine.volumes.recognise.features import features_of
from surgical_style_engine.volumes.recognise.kinds import CONTRASTS

from .cohort import Image
from .drawn import Drawn, standardised
from .variants import variants_of

PENALTY = 0.003  # inverse strength of the penalty on the squared weights
FARTHEST = 6.0


@dataclass(frozen=True, eq=False)
class Linear:
    """mean and scale (features,), weight (contrasts, features), bias (contrasts,)."""

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def scaled(self, features: np.ndarray) -> np.ndarray:
        return np.clip((features - self.mean) / self.scale, -FARTHEST, FARTHEST)

    def contrasts(self, features: np.ndarray) -> np.ndarray:
        """Logarithms of probabilities (4,)."""
        output = self.weight @ self.scaled(features) + self.bias
        return output - output.max() - np.log(np.exp(output - output.max()).sum())


def stored_features(all_images: list[Image], runs: Path) -> dict[tuple[str, str], np.ndarray]:
    """The features of every variant of every image, by their names; kept in a file."""
    path = runs / "features.npz"
    if path.exists():
        with np.load(path) as stored:
            names = [tuple(name.split("|")) for name in stored["names"].tolist()]
            return {(name[0], name[1]): row for name, row in zip(names, stored["rows"], strict=True)}
    rows: dict[tuple[str, str], np.ndarray] = {}
    for image in all_images:
        with np.load(runs / "variants" / f"{image.name}.npz") as stored:
            for variant in variants_of(stored):
                patches = stored[variant]
                features = features_of(patches.astype(np.float32)) if len(patches) else None
                if features is not None:
                    rows[image.name, variant] = features
    np.savez(path, names=np.array(["|".join(name) for name in rows]), rows=np.array(list(rows.values())))
    return rows


def fit(seen: list[Image], features: dict[tuple[str, str], np.ndarray], drawn: Drawn) -> Linear:
    """Fit on all variants of these images, and on what was drawn of their patients; contrasts count alike."""
    truth = {image.name: image.truth for image in seen if image.truth in CONTRASTS}
    chosen = [(truth[name], row) for (name, _), row in features.items() if name in truth]
    more = drawn.of({image.site for image in seen}, {image.patient for image in seen})
    table = np.concatenate([np.array([row for _, row in chosen]), more.features])
    kinds = [kind for kind, _ in chosen] + more.truths.tolist()
    mean, scale, scaled = standardised(table, FARTHEST)
    model = LogisticRegression(C=PENALTY, max_iter=1000, class_weight="balanced")
    model.fit(scaled, kinds)
    order = [model.classes_.tolist().index(kind) for kind in CONTRASTS]
    return Linear(mean, scale, model.coef_[order], model.intercept_[order])
