"""Single slices at 1 mm, with what is brighter than its surroundings."""

import numpy as np
import pytest
from recognise_volumes import head

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.recognise.fine import AROUND, LARGEST_MM, fine_looks, fine_patches, local
from surgical_style_engine.volumes.recognise.patches import FINE_SIDE, OUTSIDE, standardised
from surgical_style_engine.volumes.volume import Volume


def slice_of_head():
    return Volume(np.ascontiguousarray(head().array[:, 45:46]), (2.0, 2.0, 4.0))


def test_patches_of_one_slice():
    patches = fine_patches(slice_of_head())
    assert patches.shape == (5, 3, FINE_SIDE, FINE_SIDE) and patches.dtype == np.float32
    outside = patches[:, 0] == OUTSIDE
    assert (patches[:, 1][outside] == -1).all() and (patches[:, 2][outside] == 0).all()


def test_of_a_few_slices_each_is_measured():
    volume = head()
    few = Volume(np.ascontiguousarray(volume.array[:, 40:43]), (2.0, 2.0, 4.0))
    looks = fine_looks(few, 0)
    assert len(looks) == 3 and all(np.isfinite(look).all() for look in looks)
    turned = Volume(np.ascontiguousarray(few.array.transpose(0, 2, 3, 1)), (4.0, 2.0, 2.0))
    assert len(fine_looks(turned, 2)) == 3
    few.array[:, 1] = 0
    assert len(fine_looks(few, 0)) == 2, "an empty one is left out"
    large = Volume(few.array, (LARGEST_MM / 80, 2.0, 4.0))
    assert fine_looks(large, 0) == [], "no head is so large"


def test_a_field_matters_less_than_what_is_beside():
    random = np.random.default_rng(0)
    stripes = np.where(np.arange(FINE_SIDE) % 12 < 6, 1.0, 1.2) + random.normal(0, 0.01, (FINE_SIDE, FINE_SIDE))
    field = np.linspace(0.6, 1.6, FINE_SIDE)[:, None]
    images = np.stack([stripes, stripes * field])
    plain, tilted = standardised(images, np.ones(images.shape, bool))
    kept = local(np.stack([plain, tilted]))
    alike = [np.corrcoef(first.ravel(), second.ravel())[0, 1] for first, second in ((plain[1], tilted[1]), kept)]
    assert alike[1] > 0.8 > 0.6 > alike[0]


def test_what_lies_outside_does_not_count():
    images = np.random.default_rng(0).normal(size=(1, FINE_SIDE, FINE_SIDE))
    inside = np.zeros(images.shape, bool)
    inside[:, :, :64] = True
    changed = images.copy()
    changed[:, :, 64:] = 9
    first, second = (local(standardised(array, inside)) for array in (images, changed))
    assert np.array_equal(first, second) and AROUND % 2 == 1
    band = first[0][inside[0]]
    assert abs(float(band.mean())) < 0.05 and float(band.std()) == pytest.approx(0.5, abs=0.02)


def test_of_what_is_constant_or_holds_too_little_there_are_none():
    with pytest.raises(InputError):
        fine_patches(Volume(np.zeros((1, 1, 60, 60))))
    small = np.zeros((1, 1, 60, 60), np.float32)
    small[..., 30:33, 30:33] = np.arange(9).reshape(3, 3) + 5
    assert fine_patches(Volume(small)).shape == (0, 3, FINE_SIDE, FINE_SIDE)
