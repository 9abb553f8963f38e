"""A head of three tissues, with or without skull and scalp, as several scanners would take it."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.volumes.volume import Volume

T1W_LEVELS = {"CSF": 250.0, "grey": 620.0, "white": 800.0, "scalp": 1500.0, "bone": 60.0}
MM = 3.0


def tissue_phantom(
    levels=T1W_LEVELS, whole: bool = False, bias: float = 0.0, noise: float = 15.0, seed: int = 0
) -> Volume:
    """(1, 48, 64, 56) float32 at 3 mm.

    Args:
        levels: intensity of each tissue.
        whole: with bone and scalp around the brain.
        bias: the bias field runs from 1 - bias to 1 + bias along y.
        noise: standard deviation.
        seed: of the noise.
    """
    z, y, x = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in (48, 64, 56)), indexing="ij")
    radius = np.sqrt((x / 22) ** 2 + (y / 26) ** 2 + (z / 19) ** 2)
    folds = 0.88 + 0.05 * np.sin(5 * np.arctan2(y, x)) * np.cos(3 * z / 8)
    image = np.zeros(radius.shape)
    if whole:
        image[radius < 1.2] = levels["scalp"]
        image[radius < 1.1] = levels["bone"]
    image[radius < 1.0] = levels["grey"]
    image[(radius < 1.0) & (radius > 0.95)] = levels["CSF"]
    image[radius < folds - 0.12] = levels["white"]
    image[((x / 6) ** 2 + (y / 11) ** 2 + (z / 7) ** 2) < 1] = levels["CSF"]
    image *= 1 + bias * y / 32
    image += np.random.default_rng(seed).normal(scale=noise, size=image.shape) * (image > 0)
    return Volume(
        np.maximum(image, 0)[None].astype(np.float32),
        spacing=(MM, MM, MM),
        origin=(-84.0, -96.0, -72.0),
        name="p_T1w.nii.gz",
    )
