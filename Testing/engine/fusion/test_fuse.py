"""Volumes in, one volume on the reference's grid out."""

import numpy as np
import pytest

from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.fusion import METHODS, FusionMethod, FusionOptions, align, fuse_volumes, fusion_quality
from surgical_style_engine.fusion.align import coarser_by
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.filters import gaussian
from surgical_style_engine.volumes.normalization import HUWindow
from surgical_style_engine.volumes.resampling import resample_like
from surgical_style_engine.volumes.volume import Volume

SHAPE, SPACING = (26, 48, 48), (2.0, 2.0, 3.0)


def phantom(contrast, seed=0):
    """A head of random tissue with a contrast of three classes, and a little noise: (z,y,x)."""
    rng = np.random.default_rng(7)
    axes = ((np.arange(n) - n / 2) * mm for n, mm in zip(SHAPE, SPACING[::-1], strict=True))
    z, y, x = np.meshgrid(*axes, indexing="ij")
    inside = (z / 34) ** 2 + (y / 40) ** 2 + (x / 34) ** 2 <= 1
    tissue = gaussian(rng.standard_normal(SHAPE, dtype=np.float32), 6.0, SPACING[::-1])
    classes = np.digitize(tissue, np.quantile(tissue[inside], (0.3, 0.7)))
    noise = np.random.default_rng(seed).normal(0, 3, SHAPE)
    return (np.where(inside, np.array(contrast)[classes], 0) + 20 + noise).astype(np.float32)


@pytest.fixture(scope="module")
def pair():
    return Volume(phantom((300, 600, 1000), 1)[None], SPACING), Volume(phantom((900, 500, 300), 2)[None], SPACING)


@pytest.mark.parametrize("method", METHODS)
def test_the_result_lies_on_the_reference_grid_within_the_inputs(pair, method):
    tilted = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    volumes = [Volume(v.array, SPACING, (10.0, -20.0, 5.0), tilted) for v in pair]
    steps = []
    fusion = fuse_volumes(volumes, method=method, progress=lambda done, total: steps.append((done, total)))
    assert fusion.volume.same_grid(volumes[0]) and fusion.volume.array.dtype == np.float32
    assert fusion.volume.origin == volumes[0].origin and np.array_equal(fusion.volume.direction, tilted)
    low, high = np.minimum(*fusion.inputs), np.maximum(*fusion.inputs)
    assert np.all(fusion.fused >= low - 1e-6) and np.all(fusion.fused <= high + 1e-6), "no halo"
    assert steps == sorted(steps) and steps[-1] == (20, 20) and len(steps) >= 3
    assert fusion.aligned[0].registration is None, "on one grid already"
    assert fusion.method == method and fusion.weights == [0.5, 0.5]
    assert any("measure nothing" in sentence for sentence in fusion.warnings)
    # Both contrasts are in it, on the reference's range.
    assert 0 <= fusion.volume.array.min() and fusion.volume.array.max() <= volumes[0].array.max()


def modalities(shared_data, factor):
    """T1w, T2w and FLAIR of a patient, coarser in plane; each contrast stays on a grid of its own."""
    folder = shared_data / "open-ms" / "longitudinal"
    for name in ("T1W", "T2W", "FLAIR"):
        full = read_volume(folder / f"patient04_study1_{name}.nii.gz")
        x, y, z = full.spacing
        array = full.array[..., ::factor, ::factor]
        yield Volume(array, (factor * x, factor * y, z), full.origin, full.direction)


def test_real_modalities_are_nearly_aligned_by_the_scanner(shared_data):
    """Registration finds no more than the head's motion between the scans."""
    reference, *others = modalities(shared_data, 4)
    body = body_mask(reference)
    found = [align(other, reference, body, "auto").registration for other in others]
    assert all(registration.translation_mm < 4 for registration in found)


def test_pyramid_fusion_beats_both_floors_on_real_modalities(shared_data):
    """In the middle of the head, laid over one another as the scanner says."""
    full, *others = modalities(shared_data, 2)
    first, last = 12, 36
    origin = np.add(full.origin, np.asarray(full.direction)[:, 2] * first * full.spacing[2])
    reference = Volume(full.array[:, first:last], full.spacing, tuple(origin), full.direction)
    found = fusion_quality(fuse_volumes([reference, *others], method="pyramid", register="none"))
    floors = found["floors"]
    for key in ("q_abf", "piella_weighted", "entropy"):
        assert found[key] > 1.04 * max(floors["reference"][key], floors["average"][key]), key
    assert found["normalized_mutual_information_lowest"] > floors["reference"]["normalized_mutual_information_lowest"]


def test_a_moved_modality_is_laid_over_the_reference(pair):
    first, second = pair
    moved = Volume(second.array, SPACING, (7.0, -5.0, 4.0))
    fusion = fuse_volumes([first, moved], method="weighted", register="rigid")
    found = fusion.aligned[0]
    point = np.subtract(found.transform.TransformPoint((50.0, 50.0, 40.0)), (50.0, 50.0, 40.0))
    np.testing.assert_allclose(point, (7, -5, 4), atol=0.5)
    straight = fuse_volumes([first, second], method="weighted")
    inside = straight.body & fusion.covered
    assert np.abs(fusion.fused - straight.fused)[inside].mean() < 0.03
    crooked = fuse_volumes([first, moved], method="weighted", register="none")
    assert np.abs(crooked.fused - straight.fused)[inside & crooked.covered].mean() > 0.04


@pytest.mark.parametrize("method", METHODS)
def test_outside_the_other_field_of_view_the_reference_stays(pair, method):
    first, second = pair
    part = Volume(second.array[:, 10:], SPACING, (0.0, 0.0, 30.0))
    fusion = fuse_volumes([first, part], method=method, register="none")
    np.testing.assert_array_equal(fusion.volume.array[:, :10], first.array[:, :10])
    assert not fusion.covered[:10].any() and fusion.covered[10:].all()
    changed = np.abs(fusion.fused - fusion.inputs[0])
    assert changed[18:][fusion.body[18:]].mean() > 0.01, "further inside it is fused"
    # No seam: the change sets in slowly (FEATHER_MM over slices of 3 mm).
    assert changed[10].mean() < 0.6 * changed[14].mean() + 1e-3
    assert any("covers" in sentence for sentence in fusion.warnings)


def test_weights_count(pair):
    first, second = pair
    only = fuse_volumes(pair, method="weighted", weights=[0, 2])
    np.testing.assert_allclose(only.fused, only.inputs[1], atol=1e-6)
    assert only.weights == [0, 1]
    leaning = fuse_volumes(pair, method="pyramid", weights=[5, 1])
    even = fuse_volumes(pair, method="pyramid")
    body = even.body
    assert (
        np.abs(leaning.fused - leaning.inputs[0])[body].mean() < 0.8 * np.abs(even.fused - even.inputs[0])[body].mean()
    )


def test_units(pair):
    none = fuse_volumes(pair, method="weighted", units="none")
    assert none.volume.array.min() >= 0 and none.volume.array.max() <= 1 and "no units" in none.units
    own = fuse_volumes(pair, method="weighted", weights=[1, 0])
    np.testing.assert_allclose(own.volume.array, pair[0].array, atol=30), "the reference's range, but for its extremes"
    assert "range of The reference" in own.units


def test_ct_is_windowed_in_hu(pair):
    ct = Volume(pair[1].array, SPACING, metadata={"Modality": "CT"})
    fusion = fuse_volumes([pair[0], ct], method="weighted", weights=[0, 1])
    np.testing.assert_allclose(fusion.fused, (pair[1].array[0] + 1000) / 3000, atol=1e-4)
    window = HUWindow(lower=400, upper=800)
    narrow = fuse_volumes(pair, method="weighted", weights=[0, 1], normalizations=[None, window])
    assert (narrow.fused == 0).mean() > 0.1 and (narrow.fused == 1).mean() > 0.05


def test_pictures_of_one_slice_are_fused():
    plane = [Volume(phantom(c)[None, 12:13], SPACING, is_2d=True) for c in ((300, 600, 1000), (900, 500, 300))]
    for method in METHODS:
        fusion = fuse_volumes(plane, method=method)
        assert fusion.volume.is_2d and fusion.volume.array.shape == plane[0].array.shape
        assert 0 < fusion_quality(fusion)["q_abf"] < 1


def test_cancelling_between_steps_and_within_a_registration(pair):
    with pytest.raises(Cancelled):
        fuse_volumes(pair, cancelled=lambda: True)
    asked = []

    def later():
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(Cancelled, match="registration"):
        fuse_volumes(pair, register="rigid", cancelled=later)
    assert len(asked) == 4


def colour(volume):
    return Volume(np.repeat(volume.array, 3, axis=0), SPACING)


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        (lambda a, b: [a], {}, "at least two modalities"),
        (lambda a, b: [a, colour(b)], {}, "Input 2 is in colour"),
        (lambda a, b: [colour(a), b], {}, "The reference is in colour"),
        (lambda a, b: [a, b.with_array(np.full_like(b.array, 4))], {}, "Input 2 is constant"),
        (lambda a, b: [a, b.with_array(np.full_like(b.array, np.nan))], {}, "Input 2 holds NaN"),
        (lambda a, b: [a, b], {"weights": [1, 1, 1]}, "2 volumes need 2 weights"),
        (lambda a, b: [a, b], {"weights": [0, 0]}, "one of them above 0"),
        (lambda a, b: [a, b], {"weights": [1, -1]}, "numbers from 0 on"),
        (lambda a, b: [a, b], {"weights": [1, float("nan")]}, "numbers from 0 on"),
        (lambda a, b: [a, b], {"method": "magic"}, "no fusion method 'magic'"),
        (lambda a, b: [a, b], {"units": "HU"}, "no units 'HU'"),
        (lambda a, b: [a, b], {"register": "elastic"}, "no registration 'elastic'"),
        (lambda a, b: [a, b], {"mask": np.zeros(SHAPE, bool)}, "mask is empty"),
        (lambda a, b: [a, b], {"mask": np.ones((3, 3, 3), bool)}, "mask has shape"),
        (lambda a, b: [a, b], {"normalizations": [None]}, "need 2 normalisations"),
        (
            lambda a, b: [a, Volume(b.array, SPACING, (500.0, 0.0, 0.0))],
            {"register": "none"},
            "Input 2 and the reference do not overlap: it covers 0 %",
        ),
        (
            lambda a, b: [a, b.with_array(np.random.default_rng(0).random(b.array.shape, np.float32))],
            {"register": "rigid"},
            "nothing that they have in common",
        ),
        (lambda a, b: [a, Volume(b.array[:, :2], SPACING)], {}, "Input 2 cannot be laid over the reference. .*thin"),
        (lambda a, b: [a, Volume(b.array[:, :1], SPACING, is_2d=True)], {}, "one is a picture"),
    ],
)
def test_what_cannot_be_fused_is_one_sentence(pair, change, options, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        fuse_volumes(change(*pair), **options)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)


def test_an_empty_modality_is_warned_about(pair):
    first, second = pair
    hollow = second.array.copy()
    hollow[..., 22:] = hollow.min()
    fusion = fuse_volumes([first, second.with_array(hollow)], method="weighted")
    assert any("empty in a large part" in sentence for sentence in fusion.warnings)


def test_fine_volumes_are_smoothed_before_a_coarse_grid_samples_them(pair):
    reference = pair[0]
    assert coarser_by(Volume(np.zeros((1, 4, 4, 4)), (0.5, 2.0, 3.0)), reference) == pytest.approx([4, 1, 1])
    shape = (26, 96, 192)
    fine = np.random.default_rng(0).normal(500, 100, (1, *shape)).astype(np.float32)
    volume = Volume(fine, (0.5, 1.0, 3.0))
    body = np.ones(SHAPE, bool)
    found = align(volume, reference, body, "none", name="Fine")
    plain = resample_like(volume, reference)
    inside = (slice(2, -2),) * 3
    assert found.volume.array[0][inside].std() < 0.6 * plain.array[0][inside].std()
    assert found.volume.array[0][inside].mean() == pytest.approx(500, abs=5)
    assert any("finer than the reference" in sentence for sentence in found.warnings)


def test_options_are_given_whole_or_by_keywords(pair):
    whole = fuse_volumes(pair, FusionOptions(method="weighted", weights=[1, 3], units="none"))
    laid_over = fuse_volumes(pair, FusionOptions(method="detail", weights=[1, 3]), method="weighted", units="none")
    by_keywords = fuse_volumes(pair, method="weighted", weights=[1, 3], units="none")
    for fusion in (laid_over, by_keywords):
        np.testing.assert_array_equal(fusion.fused, whole.fused)
        assert fusion.method == "weighted" and fusion.weights == [0.25, 0.75]
    with pytest.raises(TypeError, match="no_option"):
        fuse_volumes(pair, no_option=1)


def test_a_method_from_outside_is_one_entry(pair, monkeypatch):
    def darkest(inputs, tick):
        tick(1)
        return np.minimum.reduce(inputs.arrays)

    monkeypatch.setitem(METHODS, "darkest", FusionMethod("darkest", "the darkest input", darkest))
    fusion = fuse_volumes(pair, method="darkest")
    np.testing.assert_allclose(fusion.fused, np.minimum(*fusion.inputs), atol=1e-6)
    assert fusion.method == "darkest"
