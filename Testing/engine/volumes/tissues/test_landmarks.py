from __future__ import annotations

import numpy as np
import pytest
from tissue_phantom import T1W_LEVELS, tissue_phantom

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.tissues.landmarks import measure

EXPECTED = [T1W_LEVELS["CSF"], T1W_LEVELS["grey"], T1W_LEVELS["white"]]


@pytest.mark.parametrize(("whole", "bias"), [(False, 0.0), (True, 0.2)], ids=["brain", "head in a bias field"])
def test_tissues_have_their_levels_with_and_without_skull(whole, bias):
    landmarks, flat, brain = measure(tissue_phantom(whole=whole, bias=bias), "T1w", extracted=not whole)
    assert landmarks.levels == pytest.approx(EXPECTED, rel=0.05)
    white = brain & (np.abs(flat.array[0] - T1W_LEVELS["white"]) < 100)
    rows = np.flatnonzero(white.sum((0, 2)) > 30)
    front, back = (flat.array[0][:, y][white[:, y]].mean() for y in (rows[0], rows[-1]))
    assert front == pytest.approx(back, rel=0.06), "the bias field is gone"


def test_an_image_of_one_grey_has_no_tissues():
    volume = tissue_phantom(noise=0)
    flat = volume.with_array(np.where(volume.array > 0, 500, 0).astype(np.float32))
    with pytest.raises(InputError, match="one grey value|cannot be told apart"):
        measure(flat, "T1w", extracted=True)


def test_an_empty_volume_shows_no_body():
    with pytest.raises(InputError, match="no body"):
        measure(tissue_phantom().with_array(np.zeros((1, 16, 16, 16), np.float32)), "T1w", extracted=True)


def test_air_that_was_set_to_zero_is_the_floor_though_resampling_left_values_below():
    volume = tissue_phantom()
    array = volume.array.copy()
    array[0, 20, 20, :4] = -45.0
    plain, ringing = (measure(volume.with_array(values), "T1w", True)[0] for values in (volume.array, array))
    assert ringing.floor == 0 and ringing.levels == pytest.approx(plain.levels, rel=0.01)
    array[0] -= 20  # now no voxel is exactly 0: the lowest is the floor
    assert measure(volume.with_array(array), "T1w", True)[0].floor == -65
