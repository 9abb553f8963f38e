"""Every single slice that recognition is judged on, as the slices' networks see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surgical_style_engine.volumes.recognise.fine import local
from surgical_style_engine.volumes.recognise.patches import FINE_MM, FINE_SIDE, deep_patches, standardised, working_grid
from surgical_style_engine.volumes.recognise.values import SLICE

from .cohort import images
from .variants import variants


def with_local(stored: np.ndarray) -> np.ndarray:
    """(n, 3, FINE_SIDE, FINE_SIDE) float32 of what is stored without the third."""
    patches = stored.astype(np.float32)
    return np.concatenate([patches, local(patches)[:, None]], axis=1)


def store_fine(data: Path, runs: Path) -> None:
    """Write the fine patches of every variant that is a single slice into a folder once; variants are stored before."""
    folder = runs / "fine"
    folder.mkdir(parents=True, exist_ok=True)
    for image in images(data):
        path = folder / f"{image.name}.npz"
        if path.exists():
            continue
        patches = {}
        with np.load(runs / "variants" / f"{image.name}.npz") as stored:
            for name, volume in variants(image):
                if str(stored[f"{name}|seen"]) == SLICE:
                    fine = deep_patches(working_grid(volume, FINE_MM), FINE_SIDE)
                    patches[name] = standardised(*fine).astype(np.float16)
        np.savez(path, **patches)
