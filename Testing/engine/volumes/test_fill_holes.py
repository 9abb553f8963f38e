"""Holes are filled as by one call for each slice."""

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.volumes import fill_holes
from surgical_style_engine.volumes.fill_holes import fill_slices


def one_by_one(mask):
    filled = mask.astype(np.uint8)
    for index in range(len(mask)):
        image = sitk.BinaryFillhole(sitk.GetImageFromArray(filled[index]), fullyConnected=False)
        filled[index] = sitk.GetArrayFromImage(image)
    return filled.astype(mask.dtype)


@pytest.mark.parametrize("at_once", [1, 900, 4_000_000])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.6, 0.8])
@pytest.mark.parametrize("kind", [bool, np.uint8])
def test_as_slice_by_slice(share, kind, at_once, monkeypatch):
    monkeypatch.setattr(fill_holes, "AT_ONCE", at_once)
    random = np.random.default_rng(0)
    for shape in ((7, 23, 31), (1, 1, 9), (3, 40, 2), (4, 16, 16)):
        mask = (random.random(shape) < share).astype(kind)
        mask[:, shape[1] // 3 : shape[1] // 2] = 1  # touches both sides
        filled = mask.copy()
        fill_slices(filled)
        assert np.array_equal(filled, one_by_one(mask)) and filled.dtype == kind


def test_a_cavity_that_is_open_at_the_edge_stays_open():
    mask = np.ones((2, 6, 6), bool)
    mask[0, 2:4, 2:4] = False
    mask[1, 2, 3:] = False
    fill_slices(mask)
    assert mask[0].all() and not mask[1, 2, 3:].any()
