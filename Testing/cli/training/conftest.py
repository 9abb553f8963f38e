"""A tiny made-up data set: discs of two tissues whose contrast is inverted in the target domain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk


def disc_volume(seed: int, inverted: bool, size: int = 40, slices: int = 4) -> sitk.Image:
    """A disc (300) with an inner disc (700) on zero background; the target domain swaps the two values."""
    random = np.random.default_rng(seed)
    z, y, x = np.mgrid[:slices, :size, :size]
    centre = size / 2 + random.uniform(-3, 3, 2)
    distance = np.hypot(y - centre[0], x - centre[1])
    outer, inner = (700, 300) if inverted else (300, 700)
    array = np.where(distance < size * 0.4, outer, 0)
    array = np.where(distance < size * 0.2, inner, array).astype(np.float32)
    array += random.normal(0, 8, array.shape) * (array > 0)
    image = sitk.GetImageFromArray(array.astype(np.float32))
    image.SetSpacing((1.0, 1.0, 3.0))
    return image


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """Folder with source/ (3 volumes) and target/ (2 volumes); a.nii.gz and b.nii.gz of both are registered pairs."""
    for side, names in (("source", "abc"), ("target", "ab")):
        (tmp_path / "data" / side).mkdir(parents=True)
        for number, name in enumerate(names):
            image = disc_volume(number, inverted=side == "target")
            sitk.WriteImage(image, str(tmp_path / "data" / side / f"{name}.nii.gz"))
    return tmp_path / "data"


@pytest.fixture
def tiny(discs: Path, tmp_path: Path) -> dict:
    """Settings of a training that takes a second a step at most."""
    return {
        "source": discs / "source", "target": discs / "target", "output": tmp_path / "run", "max_steps": 4,
        "patch_size": 32, "ngf": 4, "n_blocks": 1, "ndf": 4, "n_layers": 2, "precision": "fp32", "device": "cpu",
        "sample_every": 2, "checkpoint_every": 2, "trackers": ["csv"], "pool_size": 3, "stack": 3,
    }  # fmt: skip
