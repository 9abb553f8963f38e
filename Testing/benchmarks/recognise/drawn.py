"""The measures of wholes, crops and single slices as other scanners would give them, for the linear classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.volumes.recognise.features import features_of
from surgical_style_engine.volumes.recognise.kinds import CONTRASTS, KINDS, T2W

from .augment import cut, patches
from .cohort import Grid
from .parts import SHARE_DRESSED, cropped, dressed, slice_of

DRAWS = 14  # of every image
PATCHES = {"whole": 9, "cropped": 7, "slice": 4}  # of each, as many as the recogniser takes or a little fewer
STRONG = 0.7  # of what networks see: there patches differ, here all of one draw


@dataclass(frozen=True, eq=False)
class Drawn:
    """Measures (n, features), and (n,) names of kinds, sites and patients."""

    features: np.ndarray
    truths: np.ndarray
    sites: np.ndarray
    patients: np.ndarray

    def of(self, sites: set[str], patients: set[str]) -> Drawn:
        """Those of these sites and patients only."""
        return self._chosen(np.isin(self.sites, sorted(sites)) & np.isin(self.patients, sorted(patients)))

    def without(self, left: tuple[str, ...]) -> Drawn:
        """Those of other sites and patients only."""
        return self._chosen(~(np.isin(self.sites, left) | np.isin(self.patients, left)))

    def _chosen(self, chosen: np.ndarray) -> Drawn:
        return Drawn(self.features[chosen], self.truths[chosen], self.sites[chosen], self.patients[chosen])


def stored(path: Path, rows: Callable[[], Iterator[tuple[np.ndarray, str, str, str]]]) -> Drawn:
    """What a file keeps; rows: measures, kind, site and patient of each, for the time when there is none."""
    if not path.exists():
        features, *names = zip(*rows(), strict=True)
        np.savez(path, features=np.array(features), said=np.array(names).T)
    with np.load(path) as kept:
        return Drawn(kept["features"], *kept["said"].T)


def standardised(features: np.ndarray, farthest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means and spreads of measures (n, features), and the measures in units of these, far outliers drawn in."""
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    return mean, scale, np.clip((features - mean) / scale, -farthest, farthest)


def drawn_features(entries: list[tuple], path: Path) -> Drawn:
    """Draw parts of all images and measure them; kept in a file.

    Args:
        entries: as ``train.wanted_banks`` gives them.
        path: of the file.

    Returns:
        The measures of all but those that hold too little.
    """

    def rows() -> Iterator[tuple[np.ndarray, str, str, str]]:
        for number, (kind, group, site, patient, grid, _) in enumerate(entries):
            if KINDS[kind] in CONTRASTS:
                for measured in _of_image(grid, group.endswith("brains"), KINDS[kind] == T2W, 1000 + number):
                    yield measured, KINDS[kind], site, patient

    return stored(path, rows)


def _of_image(grid: Grid, is_brain: bool, bright_fluid: bool, seed: int) -> list[np.ndarray]:
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    grids = [grid, dressed(grid, random, bright_fluid)] if is_brain else [grid]
    rows = []
    for draw in range(DRAWS):
        chosen = grids[int(random.random() < SHARE_DRESSED) % len(grids)]
        name = ("whole", "cropped", "slice")[draw % 3] if draw < 12 else "slice"
        part = chosen if name == "whole" else cropped(chosen, random) if name == "cropped" else slice_of(chosen, random)
        cuts = [cut(part, random) for _ in range(PATCHES[name])]
        values, depths = (torch.from_numpy(np.stack(kept)) for kept in zip(*cuts, strict=True))
        features = features_of(patches(values, depths, generator, STRONG).numpy())
        rows += [] if features is None else [features]
    return rows
