"""Variants of slices: undone exactly, and averaging them evens out what hangs on the pixel grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgical_style_engine.inference.ensemble import PLAIN, Variant, variants_of


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.integers(0, 3), st.integers(0, 3))
def test_undone_exactly(height, width, flip, rows, columns):
    batch = np.random.default_rng(0).normal(size=(2, 3, height, width)).astype(np.float32)
    variant = Variant(flip, (rows, columns))
    varied = variant.apply(batch)
    assert varied.shape == (2, 3, height + rows, width + columns)
    padded = np.pad(varied, [(0, 0), (0, 0), (0, 3), (0, 2)], constant_values=7)
    np.testing.assert_array_equal(variant.undo(padded, (height, width)), batch)


def test_which_variants():
    assert variants_of("axial", False) == variants_of("sagittal", False) == (PLAIN,)
    assert len(variants_of("axial", True)) == 4 and variants_of("axial", True)[0] == PLAIN
    assert any(variant.flip for variant in variants_of("coronal", True))
    assert not any(variant.flip for variant in variants_of("sagittal", True)), "no left and right there"
    for axis in range(2):
        assert {variant.shift[axis] % 2 for variant in variants_of("axial", True)} == {0, 1}
        assert {variant.shift[axis] for variant in variants_of("axial", True)} == {0, 1, 2, 3}


@pytest.mark.parametrize("plane", ["axial", "sagittal"])
def test_a_grid_drawn_by_a_network_is_averaged_away(plane):
    """Transposed convolutions of stride 2 draw a pattern that stays with the pixels of what they are given."""
    batch = np.random.default_rng(0).normal(size=(1, 1, 16, 16)).astype(np.float32)

    def network(array):
        columns, rows = (np.where(np.arange(count) % 2, 0.1, -0.1) for count in array.shape[:-3:-1])
        return array + columns + rows[:, None]

    made = [v.undo(network(v.apply(batch)), (16, 16)) for v in variants_of(plane, True)]
    assert np.abs(made[0] - batch).max() > 0.19
    assert np.abs(np.mean(made, axis=0) - batch).max() < 0.01
