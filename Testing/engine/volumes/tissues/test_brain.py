from __future__ import annotations

import numpy as np
import pytest
from tissue_phantom import MM, T1W_LEVELS, tissue_phantom

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.tissues.brain import find_brain


def brain_of(volume, extracted):
    return find_brain(volume, body_mask(volume), extracted)


@pytest.mark.parametrize("whole", [False, True], ids=["brain alone", "whole head"])
def test_the_brain_is_found_without_bone_and_scalp(whole):
    volume = tissue_phantom(whole=whole)
    brain = brain_of(volume, not whole)
    values = volume.array[0][brain]
    assert 0.8 < brain.sum() * MM**3 / 1e6 < 1.4
    assert np.mean(values > 1.2 * T1W_LEVELS["white"]) < 0.001, "scalp"
    assert np.mean(values < 1.5 * T1W_LEVELS["bone"]) < 0.001, "bone"
    assert np.mean(np.abs(values - T1W_LEVELS["CSF"]) < 60) > 0.02, "the ventricles belong to it"


def test_values_stored_with_an_offset_change_nothing():
    volume = tissue_phantom(whole=True)
    moved = volume.with_array(volume.array + 1000)
    body = body_mask(volume)
    assert np.array_equal(find_brain(moved, body, False), find_brain(volume, body, False))


def test_a_crumb_is_no_brain():
    volume = tissue_phantom()
    body = body_mask(volume)
    body[:, :, :] = False
    body[20:25, 30:35, 25:30] = True
    with pytest.raises(InputError, match="no brain is found"):
        find_brain(volume, body, True)
