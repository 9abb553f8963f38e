"""Structure guard: nothing is invented below its scale, and the input's edges stay where they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgical_style_engine.adjust.guard import structure_guard
from surgical_style_engine.errors import InputError

SPACING = (1.0, 1.0, 2.0)


def scene(shape=(16, 32, 32), noise=0.02):
    """Two tissues with a straight edge at x = 16; the translation inverts them. Normalised (1,z,y,x) both."""
    source = np.full(shape, 0.4, np.float32)
    source[:, :, 16:] = -0.3
    rng = np.random.default_rng(0)
    noisy = source + rng.normal(0, noise, shape).astype(np.float32)
    return noisy[None], (0.2 - 0.8 * source)[None]


def blob(shape, centre, diameter_mm, spacing=SPACING):
    axes = np.meshgrid(*(np.arange(count) for count in shape), indexing="ij")
    distance = sum(((a - c) * mm) ** 2 for a, c, mm in zip(axes, centre, spacing[::-1], strict=True))
    return (distance <= (diameter_mm / 2) ** 2)[None]


def test_an_invented_blob_below_the_scale_keeps_less_than_a_twentieth():
    source, translated = scene()
    invented = blob(source.shape[1:], (8, 16, 8), 4.0)
    with_blob = np.where(invented, 0.9, translated).astype(np.float32)
    plain, guarded = (structure_guard(source, each, 4.0, SPACING) for each in (translated, with_blob))
    before = np.abs(with_blob - translated)[invented].mean()
    assert before > 0.7
    assert np.abs(guarded - plain)[invented].max() < before / 20


def test_a_blob_well_above_the_scale_is_tone_and_stays():
    source, translated = scene((24, 48, 64))
    large = blob(source.shape[1:], (12, 24, 24), 40.0) & (source < 0.9)
    with_blob = np.where(large, translated + 0.5, translated).astype(np.float32)
    plain, guarded = (structure_guard(source, each, 3.0, SPACING) for each in (translated, with_blob))
    assert (guarded - plain)[0, 12, 24, 24] > 0.4


def test_edges_stay_where_the_input_has_them_even_if_the_translation_moved_them():
    source, translated = scene()
    moved = np.roll(translated, 2, axis=3)
    moved[..., :2] = translated[..., :2]
    guarded = structure_guard(source, moved, 5.0, SPACING)
    steps = np.abs(np.diff(guarded[0].mean(axis=(0, 1))))
    inner = slice(4, 28)  # off the borders
    assert 4 + int(np.argmax(steps[inner])) == 15, "the step between columns 15 and 16 is the input's"
    assert steps[15] > 3 * steps[17], "that of the translation is all but gone"


def test_an_affine_translation_passes_unchanged():
    source, _ = scene(noise=0.05)
    translated = (0.3 - 0.6 * source).astype(np.float32)
    guarded = structure_guard(source, translated, 4.0, SPACING)
    near_edge = np.s_[:, :, :, 10:22]
    np.testing.assert_allclose(guarded[near_edge], translated[near_edge], atol=0.02)


def test_thick_slices_do_not_mix():
    """Below the slice distance, each slice is fitted by itself."""
    source, translated = scene()
    other = translated.copy()
    other[:, 9] = -other[:, 9]
    one, two = (structure_guard(source, each, 3.0, (1.0, 1.0, 7.0)) for each in (translated, other))
    changed = np.abs(one - two).max(axis=(0, 2, 3))
    assert changed[9] > 0.2 and changed[np.arange(16) != 9].max() < 1e-5


def test_a_background_without_anything_stays_empty():
    source, translated = scene()
    source[..., :6] = translated[..., :6] = -1
    guarded = structure_guard(source, translated, 6.0, SPACING)
    assert (guarded[..., :6] == -1).all()


def test_pictures_and_colours():
    rng = np.random.default_rng(1)
    colours = rng.uniform(-1, 1, (3, 1, 20, 24)).astype(np.float32)
    guarded = structure_guard(colours[:1], colours, 3.0, (1.0, 1.0, 1.0))
    assert guarded.shape == colours.shape and guarded.dtype == np.float32
    np.testing.assert_allclose(guarded[0], colours[0], atol=0.05)  # the guide itself
    assert guarded[1].std() < 0.5 * colours[1].std()  # noise unlike the guide's


def test_smaller_than_a_voxel_is_refused():
    source, translated = scene()
    with pytest.raises(InputError, match="0.4 mm is smaller than the voxels"):
        structure_guard(source, translated, 0.4, SPACING)


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.integers(1, 9)] * 3), st.tuples(*[st.floats(0.5, 4)] * 3), st.floats(4, 30), st.integers(0, 99))
def test_always_finite_and_in_range(shape, spacing, size, seed):
    rng = np.random.default_rng(seed)
    source, translated = rng.uniform(-1, 1, (2, 1, *shape)).astype(np.float32)
    guarded = structure_guard(source, translated, size, spacing)
    assert guarded.shape == translated.shape
    assert np.isfinite(guarded).all() and np.abs(guarded).max() <= 1
