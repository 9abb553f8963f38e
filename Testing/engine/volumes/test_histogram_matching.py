"""Histogram matching: the usual cases and the edges."""

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.histogram_matching import histogram_match


def test_a_constant_background_becomes_one_value():
    """Two thirds of the source are 0, half of the template: equal inputs must stay equal."""
    rng = np.random.default_rng(0)
    source = np.concatenate([np.zeros(6000), rng.uniform(100, 200, 3000)]).reshape(1, 9, 20, 50)
    template = np.concatenate([np.full(5000, 40.0), rng.uniform(500, 900, 5000)]).reshape(1, 10, 20, 50)
    matched = histogram_match(source, template)
    assert len(np.unique(matched[source == 0])) == 1
    # Their quantiles are those of the template's dark half and a sixth of its bright one: the mean of these.
    expected = (0.5 * 40 + (2 / 3 - 0.5) * (500 + 400 / 6)) / (2 / 3)
    assert matched[source == 0][0] == pytest.approx(expected, abs=5)
    inside = np.sort(matched[source > 0])
    assert np.percentile(inside, 99) == pytest.approx(np.percentile(template, 100 - 1 / 3), abs=3)
    # Apart from what comes right after the background, where the quantiles jump to their own place.
    assert np.all(np.diff(matched.ravel()[np.argsort(source.ravel(), kind="stable")]) >= 0)


def test_beyond_what_the_mask_holds_the_ends_stay():
    source = np.arange(-50, 150, dtype=np.float32).reshape(1, 2, 10, 10)
    template = np.linspace(1000, 2000, 300).reshape(1, 3, 10, 10)
    mask = (source >= 0) & (source < 100)
    matched = histogram_match(source, template, mask)
    assert (matched[source < 0] == 1000).all() and (matched[source >= 100] == 2000).all()
    np.testing.assert_allclose(matched[mask], 1000 + 1000 * source[mask] / 99, atol=1)


def test_masks_of_three_axes_serve_all_channels():
    rng = np.random.default_rng(0)
    source, template = (rng.uniform(0, 100, (3, 4, 10, 10)) for _ in range(2))
    template[:, :2] = 1e6
    mask = np.zeros((4, 10, 10), bool)
    mask[2:] = True
    matched = histogram_match(source, template, template_mask=mask)
    assert matched.shape == source.shape and matched.max() <= 100


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_types_and_shapes_may_differ(dtype):
    source = np.random.default_rng(0).integers(0, 200, (1, 3, 8, 9)).astype(dtype)
    matched = histogram_match(source, np.array([[5, 6], [7, 8]], np.int32))
    assert matched.dtype == np.float32 and matched.shape == source.shape
    assert matched.min() == pytest.approx(5, abs=0.02) and matched.max() == pytest.approx(8, abs=0.02)
    assert source.dtype == dtype, "the source is left alone"


def test_a_constant_source_or_template_gives_its_mean():
    ramp = np.linspace(0, 10, 1001)
    np.testing.assert_allclose(histogram_match(np.full((1, 1, 2, 2), 7), ramp), 5, atol=0.01)
    np.testing.assert_array_equal(histogram_match(ramp, np.full(4, 3.0)), 3)


def test_the_same_distribution_changes_nothing():
    source = np.random.default_rng(0).normal(size=(1, 4, 30, 30)).astype(np.float32)
    assert np.abs(histogram_match(source, source) - source).max() < 0.02


@pytest.mark.parametrize("role", ["source", "template"])
def test_empty_masks(role):
    array = np.arange(8.0)
    with pytest.raises(InputError, match=f"^Histogram matching: the {role} mask is empty.$"):
        histogram_match(array, array, **{f"{role}_mask": np.zeros(8, bool)})


def test_real_t1_with_the_histogram_of_its_t2(shared_data):
    """What the floor in the reports is made of: the intensities of a T2, the order of a T1."""
    folder = shared_data / "open-ms" / "mni"
    t1, t2 = (read_volume(folder / f"patient07_{name}.nii.gz").array[:, 60:90] for name in ("T1", "T2"))
    brain = t1 > 0
    matched = histogram_match(t1, t2, brain, t2 > 0)
    for q in (5, 25, 50, 75, 95):
        assert np.percentile(matched[brain], q) == pytest.approx(np.percentile(t2[t2 > 0], q), rel=0.02)
    order = np.argsort(t1[brain], kind="stable")
    assert np.all(np.diff(matched[brain][order]) >= 0)


def test_histogram_matching_gives_the_templates_quantiles():
    rng = np.random.default_rng(0)
    source = rng.gamma(2, 50, (1, 10, 40, 40)).astype(np.float32)
    template = rng.normal(1000, 30, (1, 8, 50, 50)).astype(np.float32)
    matched = histogram_match(source, template)
    for q in (1, 10, 50, 90, 99):
        assert np.percentile(matched, q) == pytest.approx(np.percentile(template, q), abs=2)
    order = np.argsort(source.ravel())
    assert np.all(np.diff(matched.ravel()[order]) >= 0)


def test_histogram_matching_looks_inside_the_masks_only():
    source = np.zeros((1, 4, 10, 10), np.float32)
    source[:, 2:] = np.arange(200).reshape(1, 2, 10, 10)
    template = np.full((1, 4, 10, 10), -500.0, np.float32)
    template[:, 2:] = 3 * source[:, 2:] + 7
    mask = np.zeros((4, 10, 10), bool)
    mask[2:] = True
    matched = histogram_match(source, template, mask, mask)
    np.testing.assert_allclose(matched[:, 2:], template[:, 2:], atol=0.5)
    with pytest.raises(InputError, match="mask is empty"):
        histogram_match(source, template, mask & False)
