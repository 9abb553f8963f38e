"""Scenes of left-out patients by the pair networks of their folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training_cli.joining.shares import Products, products_of

from ..data import CONTRASTS, Scene
from ..judge import chosen_slices, translate
from ..protocol import left_out
from ..uncertainty.patients import fold_models

SLICES = 12  # of a scene


@dataclass(frozen=True)
class Translated:
    """A scene of a left-out patient with what the networks of its fold make of it.

    Attributes:
        scene: The scene.
        fold: Whose networks they are.
        chosen: Numbers of the slices.
        images: (n, h, w) float16 by input and target.
    """

    scene: Scene
    fold: str
    chosen: np.ndarray
    images: Mapping[tuple[str, str], np.ndarray]

    def mixed(self, shares: Mapping[str, float], target: str) -> np.ndarray:
        """The weighted mean, float32."""
        return sum(share * self.images[name, target].astype(np.float32) for name, share in shares.items())

    def products(self, target: str) -> Products:
        """Of the errors of every two inputs."""
        real, body = self.scene.images[target][self.chosen].astype(np.float32), self.scene.body[self.chosen]
        errors = {
            name: (image.astype(np.float32) - real)[body] for (name, end), image in self.images.items() if end == target
        }
        return products_of(errors, float(np.ptp(real[body])))


def translated(folds: Path, scenes: list[Scene]) -> list[Translated]:
    """Every scene of the cohort by the networks of the fold that leaves its patient out."""
    ways = {(start, end): fold_models(folds, start, end) for start in CONTRASTS for end in CONTRASTS if start != end}
    result = []
    for scene in scenes:
        chosen = chosen_slices(scene, SLICES)
        images, of_fold = {}, ""
        for (start, end), models in ways.items():
            for model in models:
                if {start, end} <= set(scene.images) and left_out(scene, model.fold):
                    images[start, end] = translate(model.network, scene, start, chosen, model.stack).astype(np.float16)
                    of_fold = model.fold
        if images:
            result.append(Translated(scene, of_fold, chosen, images))
            print(scene.name, of_fold, len(images), flush=True)
    return result
