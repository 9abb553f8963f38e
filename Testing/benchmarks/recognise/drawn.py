"""The measures of wholes, crops and single slices as other scanners would give them, for the linear classifier."""

from __future__ import annotations

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
    """Measures (n, features), and (n,) kinds, sites and patients."""

    features: np.ndarray
    truths: np.ndarray
    sites: np.ndarray
    patients: np.ndarray

    def of(self, sites: set[str], patients: set[str]) -> Drawn:
        """Those of these sites and patients only."""
        chosen = np.isin(self.sites, sorted(sites)) & np.isin(self.patients, sorted(patients))
        return Drawn(self.features[chosen], self.truths[chosen], self.sites[chosen], self.patients[chosen])


def drawn_features(entries: list[tuple], path: Path) -> Drawn:
    """Draw parts of all images and measure them; kept in a file.

    Args:
        entries: as ``train.wanted_banks`` gives them.
        path: of the file.

    Returns:
        The measures of all but those that hold too little.
    """
    if not path.exists():
        rows, said = [], []
        for number, (kind, group, site, patient, grid, _) in enumerate(entries):
            if KINDS[kind] in CONTRASTS:
                measured = _of_image(grid, group.endswith("brains"), KINDS[kind] == T2W, 1000 + number)
                rows += measured
                said += [(KINDS[kind], site, patient)] * len(measured)
        np.savez(path, features=np.array(rows), said=np.array(said))
    with np.load(path) as stored:
        truths, sites, patients = stored["said"].T
        return Drawn(stored["features"], truths, sites, patients)


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
