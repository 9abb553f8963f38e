"""Hounsfield units by their values, and extracted brains by what is around them."""

import numpy as np
import pytest
from recognise_volumes import ct, head

from surgical_style_engine.volumes.recognise.patches import working_grid
from surgical_style_engine.volumes.recognise.values import (
    PART,
    SLICE,
    WHOLE,
    hounsfield,
    in_hounsfield,
    is_extracted,
    seen,
    stored_from_zero,
)


def test_hounsfield_units():
    assert in_hounsfield(working_grid(ct())) and not in_hounsfield(working_grid(head()))
    shifted = head().with_array(head().array - 700)
    assert not in_hounsfield(working_grid(shifted)), "some MR reconstructions go below zero, but not to air"


def test_hounsfield_units_stored_from_zero():
    unsigned = ct().with_array(np.clip(ct().array + 1024, 0, 4095).astype(np.uint16))
    assert stored_from_zero(working_grid(unsigned)) and not stored_from_zero(working_grid(ct()))
    assert not stored_from_zero(working_grid(head()))


def test_a_brain_in_hounsfield_units_may_be_one():
    brain = head(extracted=True)
    inside = brain.array > 100
    tissue = brain.with_array(np.where(inside, brain.array / 20, 0))  # 10 to 35
    for values in (tissue.array, np.where(inside, tissue.array + 1024, 1024)):
        assert hounsfield(working_grid(tissue.with_array(values.astype(np.float32)))) is None
    assert hounsfield(working_grid(brain)) is False and hounsfield(working_grid(ct())) is True


@pytest.mark.parametrize("extracted", [True, False])
def test_extracted_brains(extracted):
    assert is_extracted(working_grid(head(extracted=extracted))) is extracted


def test_parts():
    whole, cut = (working_grid(part) for part in (head(), head().with_array(head().array[:, 30:60, 30:60, 30:60])))
    assert seen(whole) == WHOLE and seen(cut) == PART
    assert seen(working_grid(head().with_array(head().array[:, 45:46]))) == SLICE


def test_without_air_nothing_is_said():
    cropped = head().with_array(head().array[:, 30:60, 30:60, 30:60])
    assert is_extracted(working_grid(cropped)) is None
