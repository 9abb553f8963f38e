"""A tiny made-up data set: discs of two tissues whose contrast is inverted in the target domain."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk
from tiny_training import Process, disc_volume


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
        "source": discs / "source",
        "target": discs / "target",
        "output": tmp_path / "run",
        "max_steps": 4,
        "patch_size": 32,
        "ngf": 4,
        "n_blocks": 1,
        "ndf": 4,
        "n_layers": 2,
        "precision": "fp32",
        "device": "cpu",
        "sample_every": 2,
        "checkpoint_every": 2,
        "trackers": ["csv"],
        "pool_size": 3,
        "stack": 3,
    }


@pytest.fixture
def pairs(discs: Path) -> Path:
    """A list of the two registered pairs."""
    path = discs / "pairs.csv"
    path.write_text("source,target\nsource/a.nii.gz,target/a.nii.gz\nsource/b.nii.gz,target/b.nii.gz\n")
    return path


@pytest.fixture
def start_training():
    """``start_training(settings, *arguments)`` -> Process; whatever still runs at the end is killed."""
    started: list[Process] = []

    def start(*arguments, **keywords) -> Process:
        started.append(Process(*arguments, **keywords))
        return started[-1]

    yield start
    for process in started:
        if process.handle.poll() is None:
            process.handle.kill()
            process.handle.communicate()
