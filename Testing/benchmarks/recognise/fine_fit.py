"""The classifiers of single slices on the measures of ``volumes.recognise.fine_features``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier

from surgical_style_engine.volumes.recognise.fine import fine_looks
from surgical_style_engine.volumes.recognise.fine_features import fine_features
from surgical_style_engine.volumes.recognise.kinds import CONTRASTS, T1W_GD
from surgical_style_engine.volumes.recognise.values import SLICE

from .cohort import images
from .drawn import Drawn, standardised, stored
from .fine_bank import slices_of_all
from .fine_changed import changed
from .variants import variants

DRAWS = 64  # slices of every image, changed once each
HIDDEN = (48,)
PENALTY = 1.0  # on the squared weights
ROUNDS = 60
MEMBERS = 6  # classifiers whose logarithms are averaged
FARTHEST = 5.0


def fine_drawn(data: Path, runs: Path) -> Drawn:
    """Measure slices as other scanners would have given them; kept in a file."""

    def rows() -> Iterator[tuple[np.ndarray, str, str, str]]:
        for number, bank in enumerate(slices_of_all(data, runs / "fine.pt")):
            random, generator = np.random.default_rng(number), torch.Generator().manual_seed(number)
            for index in random.permutation(np.arange(DRAWS) % len(bank.values)).tolist():
                chosen = slice(index, index + 1)
                patches = changed(bank.values[chosen].float(), bank.depth[chosen].float() / 255, generator)
                measured = fine_features(patches.numpy())
                if measured is not None:
                    yield measured, CONTRASTS[bank.kind], bank.site, bank.patient

    return stored(runs / "fine_measures.npz", rows)


def fit_fine(drawn: Drawn) -> list[dict[str, np.ndarray]]:
    """Fit the classifiers; their weights by the names that ``volumes.recognise.network`` knows."""
    mean, scale, scaled = standardised(drawn.features, FARTHEST)
    kinds = np.array([CONTRASTS.index(name) for name in drawn.truths])
    # T1w-Gd counts twice: of gliomas it is what is taken for FLAIR.
    rows = np.concatenate([np.arange(len(scaled)), np.flatnonzero(kinds == CONTRASTS.index(T1W_GD))])
    scaled, families = scaled[rows], np.maximum(kinds[rows] - 1, 0)  # with and without agent are one
    fitted = []
    for seed in range(MEMBERS):
        model = MLPClassifier(HIDDEN, alpha=PENALTY, max_iter=ROUNDS, random_state=seed).fit(scaled, families)
        weights = {"mean": mean, "scale": scale}
        for layer, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
            weights |= {f"weight{layer}": weight, f"bias{layer}": bias}
        fitted.append({name: value.astype(np.float32) for name, value in weights.items()})
    return fitted


def stored_looks(data: Path, runs: Path) -> dict[tuple[str, str], np.ndarray]:
    """Measures of every variant that is a single slice, by their names; kept in a file."""
    path = runs / "fine_looks.npz"
    if not path.exists():
        looks: dict[str, np.ndarray] = {}
        for image in images(data):
            with np.load(runs / "variants" / f"{image.name}.npz") as kept:
                for name, volume in variants(image):
                    if str(kept[f"{name}|seen"]) == SLICE and (found := fine_looks(volume, 0)):
                        looks[f"{image.name}|{name}"] = np.stack(found)
        np.savez(path, **looks)
    with np.load(path) as kept:
        return {(name.split("|")[0], name.split("|")[1]): kept[name] for name in kept.files}
