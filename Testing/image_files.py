"""Made-up volumes and pictures for tests of files, and how such tests ask."""

import os

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import strategies as st

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.volume import Volume

EXACT = [".nrrd", ".mha", ".mhd"]
NIFTI = [".nii", ".nii.gz"]
turns = st.integers(-3000, 3000).map(lambda thousandths: thousandths / 1000)  # radians


def oblique(x: float = 0.3, y: float = -0.2, z: float = 0.5) -> np.ndarray:
    return np.asarray(sitk.Euler3DTransform((0, 0, 0), x, y, z).GetMatrix()).reshape(3, 3)


def make(dtype=np.int16, channels: int = 1, shape=(4, 5, 6), **changes) -> Volume:
    array = (np.random.default_rng(0).random((channels, *shape)) * 200).astype(dtype)
    grid = {"spacing": (0.7, 0.9, 3.1), "origin": (-112.3, 58.1, 1e3 / 3), "direction": oblique()}
    return Volume(array, **{**grid, **changes})


def picture(dtype=np.uint8, channels: int = 1, shape=(12, 17)) -> Volume:
    return make(dtype, channels, (1, *shape), spacing=(1.0,) * 3, origin=(0.0,) * 3, direction=np.eye(3), is_2d=True)


def bad(path, sentence: str, **arguments) -> str:
    """Reading must fail with one sentence that names the file; returns it."""
    with pytest.raises(InputError, match=sentence) as caught:
        read_volume(path, **arguments)
    message = str(caught.value)
    assert os.path.basename(path) in message and "\n" not in message and message.endswith(".")
    return message


def same_geometry(one: Volume, other: Volume, ending: str) -> None:
    assert one.origin == other.origin
    if ending == ".nrrd":
        assert np.allclose(one.spacing, other.spacing, rtol=4e-15, atol=0)
        assert np.allclose(one.direction, other.direction, rtol=0, atol=4e-15)
    else:
        assert one.spacing == other.spacing and np.array_equal(one.direction, other.direction)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
