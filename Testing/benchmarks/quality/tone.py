"""Targets of one tone: each training volume's landmarks moved to where they lie in the middle of the sites."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .data import Scene

PERCENTILES = (10, 50, 90)
FEWEST = 500  # voxels that landmarks are taken from


def landmarks(scene: Scene, contrast: str) -> np.ndarray:
    """The percentiles of a scene's healthy body, in [-1, 1]."""
    body = scene.body if scene.labels is None else scene.body & (scene.labels == 0)
    values = scene.images[contrast][body][::5].astype(np.float32)
    return np.percentile(values, PERCENTILES) if len(values) >= FEWEST else np.array([-0.6, -0.3, 0.3])


def aligned(scenes: list[Scene], contrast: str, part: float = 1.0) -> list[Scene]:
    """Scenes whose ``contrast`` is of one tone, brains and whole heads apart; others as they are.

    Args:
        scenes: of the training patients.
        contrast: the one that is changed, by a curve that is linear between -1, the landmarks and 1.
        part: how far landmarks move, 0 to 1.
    """
    having = [scene for scene in scenes if contrast in scene.images]
    own = {scene.name: landmarks(scene, contrast) for scene in having}
    middle = {}
    for whole in {scene.whole for scene in having}:
        sites = {scene.site for scene in having if scene.whole == whole}
        means = [
            np.mean([own[s.name] for s in having if s.whole == whole and s.site == site], axis=0) for site in sites
        ]
        middle[whole] = np.mean(means, axis=0)
    result = []
    for scene in scenes:
        if contrast in scene.images:
            before = own[scene.name]
            after = before + part * (middle[scene.whole] - before)
            image = np.interp(scene.images[contrast].astype(np.float32), [-1, *before, 1], [-1, *after, 1])
            scene = replace(scene, images={**scene.images, contrast: image.astype(np.float16)})
        result.append(scene)
    return result
