"""Targets without their bias field: no input shows the field of another scan, so that a network cannot learn it.

    python -m Testing.benchmarks.quality.flat --contrasts T2w FLAIR T1w

makes them for all training scenes, beside the cache; a training whose recipe has ``flat`` makes those that are missing.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from .data import PIXEL_MM, Scene, load_cohort

CACHE = Path("runs/cohort/flat")
AROUND = 4  # voxels around a tumour that its swelling may reach


def without_field(scene: Scene, contrast: str) -> np.ndarray:
    """(s, h, w) float16 in [-1, 1]: the contrast divided by its field (N4), which has a geometric mean of 1.

    The field is taken from healthy tissue: N4 takes the brightness of a large tumour for a part of the field.
    """
    from surgical_style_engine.volumes.bias_field import flatten_bias
    from surgical_style_engine.volumes.volume import Volume

    above_air = (scene.images[contrast].astype(np.float32) + 1) / 2
    inside = scene.body & (above_air > 0)
    if scene.labels is not None:
        inside &= ~ndimage.binary_dilation(scene.labels > 0, iterations=AROUND)
    volume = Volume(above_air[None], (PIXEL_MM, PIXEL_MM, scene.slice_mm))
    flat = flatten_bias(volume, inside).array[0]
    flat[~scene.body] = above_air[~scene.body]
    return np.clip(flat * 2 - 1, -1, 1).astype(np.float16)


def flattened(scenes: list[Scene], contrast: str, cache: Path = CACHE) -> list[Scene]:
    """Scenes whose ``contrast`` is without its field; those that lack the contrast as they are."""
    cache.mkdir(parents=True, exist_ok=True)
    result = []
    for scene in scenes:
        if contrast in scene.images:
            path = cache / f"{scene.name}_{contrast}.npy"
            if not path.exists():
                temporary = path.with_suffix(".part.npy")
                np.save(temporary, without_field(scene, contrast))
                temporary.replace(path)
            scene = replace(scene, images={**scene.images, contrast: np.load(path)})
        result.append(scene)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohort", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--contrasts", nargs="+", default=["T2w", "FLAIR", "T1w"])
    arguments = parser.parse_args()
    for contrast in arguments.contrasts:
        flattened(load_cohort(arguments.cohort), contrast)
        print(contrast, flush=True)


if __name__ == "__main__":
    main()
