"""References on the grid of their volumes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surgical_style_engine.app.align_reference import align_reference
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

PATH = Path("reference.nii.gz")


def test_on_the_same_grid_nothing_is_touched(head_volume):
    volume = head_volume()
    aligned, valid, how = align_reference(volume, volume, PATH)
    assert aligned is volume and valid is None and how == {"method": "same grid"}


def test_without_registration_it_is_resampled_where_the_scanner_says(head_volume):
    volume = head_volume()
    origin = np.asarray(volume.origin) + volume.direction @ np.array([0.0, 0.0, 3.0])
    reference = replace(volume, origin=tuple(origin.tolist()))
    aligned, valid, how = align_reference(volume, reference, PATH, register=False)
    assert how == {"method": "scanner coordinates"}
    assert np.allclose(aligned.array[:, 1:], volume.array[:, :-1], atol=0.5)
    assert not valid[0].any() and valid[2:-1, 2:-2, 2:-2].all()


def test_one_dark_voxel_is_not_the_background(head_volume):
    volume = head_volume()
    array = volume.array.astype(np.float32)
    array[0, 5, 20, 20] = -5000
    moved = replace(volume, array=array, origin=tuple(np.add(volume.origin, (200.0, 0, 0))))
    aligned, valid, _ = align_reference(volume, moved, PATH, register=False)
    assert not valid.any() and (aligned.array == 0).all()


def test_pictures_are_not_registered():
    picture = Volume(np.random.default_rng(0).random((1, 1, 20, 20)).astype(np.float32), is_2d=True)
    larger = Volume(np.random.default_rng(0).random((1, 1, 30, 20)).astype(np.float32), is_2d=True)
    with pytest.raises(InputError, match="pictures are not registered"):
        align_reference(picture, larger, PATH)
