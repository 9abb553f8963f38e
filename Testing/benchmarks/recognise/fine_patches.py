"""Every single slice that recognition is judged on, as the slices' network sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surgical_style_engine.volumes.recognise.kinds import CONTRASTS
from surgical_style_engine.volumes.recognise.patches import FINE_MM, FINE_SIDE, deep_patches, standardised, working_grid

from .cohort import images
from .variants import NAMES, variants


def store_fine(data: Path, folder: Path) -> None:
    """Write the fine patches of the single slices of every image of MR contrasts into a folder once."""
    folder.mkdir(parents=True, exist_ok=True)
    for image in images(data):
        path = folder / f"{image.name}.npz"
        if path.exists() or image.truth not in CONTRASTS:
            continue
        patches = {}
        for name, volume in variants(image):
            if name.startswith(NAMES[3]):
                grid = working_grid(volume, FINE_MM)
                patches[name] = standardised(*deep_patches(grid, FINE_SIDE)).astype(np.float16)
        np.savez(path, **patches)
