"""Augmentation of training patches by MONAI transforms."""

from __future__ import annotations

import numpy as np
from monai.transforms.compose import Compose
from monai.transforms.intensity.dictionary import (
    RandAdjustContrastd,
    RandBiasFieldd,
    RandGaussianNoised,
    RandScaleIntensityd,
)
from monai.transforms.spatial.dictionary import RandAffined, RandFlipd


class Augmentation:
    """Flip, small rotation, scale, shear and shift; then gamma, bias field, contrast and noise on the input side.

    Spatial changes are shared by images that belong together (a registered pair and its validity). Intensity changes
    go to the networks' inputs only: the supervised answer stays as it was measured. Values stay in [-1, 1].
    """

    def __init__(self, patch_size: int) -> None:
        keys = ["a", "b", "weight"]
        size = (patch_size, patch_size)
        self._spatial = Compose(
            [
                RandFlipd(keys, prob=0.5, spatial_axis=1, allow_missing_keys=True),
                RandAffined(
                    keys,
                    prob=0.9,
                    rotate_range=0.2,
                    shear_range=0.06,
                    translate_range=8,
                    scale_range=(0.12, 0.12),
                    spatial_size=size,
                    mode="bilinear",
                    padding_mode="border",
                    cache_grid=True,
                    allow_missing_keys=True,
                ),
            ]
        )
        self._intensity = Compose(
            [
                RandBiasFieldd(["image"], prob=0.4, degree=2, coeff_range=(0.0, 0.25)),
                RandAdjustContrastd(["image"], prob=0.4, gamma=(0.75, 1.35)),
                RandScaleIntensityd(["image"], prob=0.4, factors=0.12),
                RandGaussianNoised(["image"], prob=0.25, std=0.02),
            ]
        )

    def move(self, images: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """The same random flip and affine for all of ``images`` ({"a"|"b"|"weight": (c, h, w)}); same keys, shapes."""
        self._spatial.set_random_state(seed)
        moved = self._spatial(dict(images))
        result = {key: np.asarray(moved[key], np.float32) for key in images}
        if "weight" in result:
            result["weight"] = (result["weight"] > 0.99).astype(np.float32)
        return result

    def disturb(self, image: np.ndarray, seed: int) -> np.ndarray:
        """Bias field, gamma, contrast and noise on one image (c, h, w) in [-1, 1]; the background stays put."""
        # MONAI's intensity transforms expect values from zero up.
        self._intensity.set_random_state(seed)
        changed = self._intensity({"image": (image + 1) / 2})["image"]
        return np.clip(np.asarray(changed, np.float32) * 2 - 1, -1, 1)
