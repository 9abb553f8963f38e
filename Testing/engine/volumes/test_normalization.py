"""Normalisation maps to [-1, 1] and back; the numbers that do so survive JSON."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.normalization import (
    KNEE,
    RGB,
    HUWindow,
    LinearLandmarks,
    PercentileLandmarks,
    RobustPercentile,
    ZScore,
    foreground,
    parse_landmarks,
    parse_normalization,
)

SPECS = [HUWindow(), HUWindow(lower=-160, upper=240), RobustPercentile(), ZScore(), RGB()]
ids = [f"{spec.kind}{number}" for number, spec in enumerate(SPECS)]


def head(scale: float = 1.0, offset: float = 0.0, margin: int = 8) -> np.ndarray:
    """(1, z, y, x): air, a head of two tissues, a few bright vessels; noise everywhere."""
    rng = np.random.default_rng(3)
    z, y, x = np.mgrid[-1:1:12j, -1:1:32j, -1:1:32j]
    inside = x**2 + y**2 + z**2 < 0.8
    array = np.where(inside, np.where(x > 0, 600.0, 900.0), 5.0) + rng.normal(0, 4, inside.shape)
    array[6, 16, 10:13] = 2500
    array = np.pad(array, margin, constant_values=5.0)
    return (array[None] * scale + offset).astype(np.float32)


def bounds(landmarks) -> tuple[float, float]:
    return landmarks.low, getattr(landmarks, "maximum", landmarks.high)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SPECS), st.integers(0, 50), st.floats(1e-2, 1e3), st.floats(-500, 500))
def test_forward_and_inverse_undo_each_other(spec, seed, scale, offset):
    array = np.random.default_rng(seed).gamma(2, scale, (1, 6, 7, 8)) + offset
    landmarks = spec.fit(array)
    low, high = bounds(landmarks)
    values = np.clip(array, low, high)
    normalized = landmarks.forward(values)
    assert normalized.dtype == np.float32 and normalized.shape == array.shape
    assert normalized.min() >= -1 and normalized.max() <= 1
    back = landmarks.inverse(normalized)
    assert back.dtype == np.float32
    # Single precision near 1 is 6e-8; the tail of percentiles shares a twentieth of the range.
    assert np.abs(back - values).max() <= 4e-6 * (high - low) + 1e-6 * np.abs(values).max()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SPECS), st.integers(0, 50))
def test_forward_never_reverses_an_order(spec, seed):
    array = np.sort(np.random.default_rng(seed).normal(100, 400, 500)).reshape(1, 1, 1, -1)
    assert (np.diff(spec.fit(array).forward(array)) >= 0).all()


@pytest.mark.parametrize("spec", SPECS, ids=ids)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float64, bool])
def test_every_type(spec, dtype):
    array = (np.arange(120).reshape(1, 4, 5, 6) % (2 if dtype is bool else 120)).astype(dtype)
    normalized = spec.fit(array).forward(array)
    assert normalized.dtype == np.float32 and np.isfinite(normalized).all()


@pytest.mark.parametrize("spec", SPECS, ids=ids)
@pytest.mark.parametrize("value", [0, -1000, 1e-30, 1e12, 2.0**53, -1e30])
def test_constant_volumes_divide_by_nothing(spec, value):
    array = np.full((1, 2, 3, 4), value)
    with np.errstate(all="raise", under="ignore"):
        landmarks = spec.fit(array)
        assert np.isfinite(landmarks.forward(array)).all() and np.isfinite(landmarks.inverse(array)).all()


few_values = st.sampled_from([0.0, 1.0, -1.0, 1e-38, 1.0 + 2**-23, 2.0**53, 1e10, -1e30])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SPECS),
    st.sampled_from([np.float32, np.float64]),
    st.lists(few_values | st.floats(-1e30, 1e30), min_size=1, max_size=12),
)
def test_odd_volumes_divide_by_nothing(spec, dtype, values):
    array = np.array(values, dtype).reshape(1, 1, 1, -1)
    with np.errstate(all="raise", under="ignore"):
        landmarks = spec.fit(array)
        normalized = landmarks.forward(array)
        assert np.abs(normalized).max() <= 1 and np.isfinite(landmarks.inverse(normalized)).all()
    assert parse_landmarks(json.loads(landmarks.model_dump_json())) == landmarks


@pytest.mark.parametrize("spec", SPECS, ids=ids)
def test_landmarks_and_specifications_survive_json(spec):
    landmarks = spec.fit(head())
    assert parse_landmarks(json.loads(landmarks.model_dump_json())) == landmarks
    assert parse_normalization(json.loads(json.dumps(spec.model_dump(mode="json")))) == spec


@settings(max_examples=40, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(1e-3, 1e6))
def test_any_landmarks_survive_json_bit_for_bit(low, width, tail):
    for landmarks in (
        PercentileLandmarks(low=low, high=low + width, maximum=low + width + tail),
        LinearLandmarks(kind="zscore", low=low, high=low + width),
    ):
        assert parse_landmarks(json.loads(landmarks.model_dump_json())) == landmarks


def test_hu_stay_comparable_and_are_clipped():
    landmarks = HUWindow().fit(np.zeros((1, 1, 1, 1)))
    assert landmarks == HUWindow().fit(head())
    normalized = landmarks.forward(np.array([-3000.0, -1000, 500, 2000, 9000]))
    assert normalized.tolist() == [-1, -1, 0, 1, 1]
    assert landmarks.inverse(np.array([-1.5, -1, 0, 1, 2])).tolist() == [-1000, -1000, 500, 2000, 2000]


class TestRobustPercentile:
    def test_knee_and_tail(self):
        landmarks = PercentileLandmarks(low=0, high=100, maximum=300)
        normalized = landmarks.forward(np.array([-50.0, 0, 50, 100, 200, 300, 400]))
        assert np.allclose(normalized, [-1, -1, (KNEE - 1) / 2, KNEE, (KNEE + 1) / 2, 1, 1])
        assert np.allclose(landmarks.inverse(normalized), [0, 0, 50, 100, 200, 300, 300], atol=1e-4)

    def test_landmarks_are_the_stated_percentiles(self):
        array = head()
        landmarks = RobustPercentile(lower=1, upper=90).fit(array)
        body = array[array > 300]
        assert landmarks.low == pytest.approx(np.percentile(array, 1), abs=0.1)
        assert landmarks.high == pytest.approx(np.percentile(body, 90), rel=0.01)
        assert landmarks.maximum == pytest.approx(array.max())

    def test_the_size_of_the_background_does_not_matter(self):
        near, far = RobustPercentile().fit(head(margin=0)), RobustPercentile().fit(head(margin=20))
        assert near.high == pytest.approx(far.high, rel=0.02)

    def test_a_scanners_gain_and_offset_disappear(self):
        array, other = head(), head(scale=0.31, offset=40)
        first = RobustPercentile().fit(array).forward(array)
        second = RobustPercentile().fit(other).forward(other)
        assert np.abs(first - second).max() < 1e-3

    def test_one_hot_voxel_does_not_darken_the_rest(self):
        array, spoiled = head(), head()
        spoiled[0, 10, 20, 20] = 1e6
        first = RobustPercentile().fit(array).forward(array)
        second = RobustPercentile().fit(spoiled).forward(spoiled)
        assert np.median(np.abs(first - second)) < 1e-3 and second.max() == 1

    def test_two_values_only(self):
        mask = np.zeros((1, 4, 8, 8))
        mask[:, 1:3, 2:6, 2:6] = 7
        landmarks = RobustPercentile().fit(mask)
        assert np.allclose(landmarks.inverse(landmarks.forward(mask)), mask, atol=1e-4)

    def test_big_arrays_are_sampled_not_copied_into_double_precision_at_once(self):
        array = np.random.default_rng(0).gamma(2, 100, (1, 40, 256, 256)).astype(np.float32)  # 2.6 million voxels
        landmarks = RobustPercentile().fit(array)
        assert landmarks.maximum == array.max()
        in_parts, whole = landmarks.forward(array), landmarks.forward(array[:, 7])
        assert np.array_equal(in_parts[:, 7], whole)

    def test_views_give_the_same(self):
        array = head()
        turned = array.transpose(0, 3, 1, 2)[:, ::-1]
        landmarks = RobustPercentile().fit(array)
        assert np.array_equal(landmarks.forward(turned), landmarks.forward(array).transpose(0, 3, 1, 2)[:, ::-1])


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("int16", -32768, 32767),
        ("int16", -1024, 3071),
        ("uint16", 0, 65535),
        ("uint8", 0, 255),
        ("int8", -128, 127),
        ("int32", 100_000, 150_000),
        ("int32", -(2**31), 2**31 - 1),
        ("uint32", 2**32 - 5000, 2**32 - 1),
        ("int64", -5000, 5000),
        ("uint64", 0, 9000),
        (">i2", -300, 900),
    ],
)
def test_large_arrays_of_whole_numbers_give_what_their_values_give_one_by_one(dtype, low, high):
    """They go through a table where that pays; the result is the same to the last bit."""
    rng = np.random.default_rng(0)
    array = rng.integers(low, high, (1, 3, 160, 170), dtype=np.dtype(dtype).newbyteorder("="), endpoint=True)
    array = array.astype(dtype)
    third = float(high - low) / 3
    marks = PercentileLandmarks(low=low + third, high=low + 2 * third, maximum=float(high))
    wanted = np.interp(array.astype(np.float64), [marks.low, marks.high, marks.maximum], [-1, KNEE, 1])
    found = marks.forward(array)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, wanted.astype(np.float32))
    assert marks.forward(array[:, 0]).tobytes() == found[:, 0].tobytes()


def test_zscore_puts_the_mean_of_the_foreground_at_zero():
    array = head()
    landmarks = ZScore(clip=4).fit(array)
    inside = foreground(array)
    assert landmarks.forward(np.array([inside.mean()]))[0] == pytest.approx(0, abs=1e-6)
    assert landmarks.forward(np.array([inside.mean() + 2 * inside.std()]))[0] == pytest.approx(0.5, abs=1e-6)


def test_foreground_is_the_head_without_the_air():
    array = head()
    assert foreground(array).size == pytest.approx((array > 300).sum(), rel=0.01)
    assert foreground(np.ones((1, 2, 2, 2))).size == 8


@pytest.mark.parametrize(("dtype", "high"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 255)])
def test_colour_range_follows_the_type(dtype, high):
    array = np.array([0, 128, 255], dtype).reshape(1, 1, 1, 3)
    assert RGB().fit(array).high == high
    assert RGB().fit(np.array([0, 0.5, 1.0]).reshape(1, 1, 1, 3)).high == 1


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "magic"},
        {"kind": "hu_window", "lower": 5, "upper": 5},
        {"kind": "zscore", "clip": 0},
        {"kind": "robust_percentile", "upper": 101},
        {"kind": "rgb", "extra": 1},
        {},
        "hu_window",
        {"kind": "hu_window", "upper": float("nan")},
    ],
)
def test_bad_specifications_are_refused_in_one_sentence(values):
    with pytest.raises(InputError, match="normalisation .* cannot be used") as caught:
        parse_normalization(values)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "hu_window", "low": 1, "high": 1},
        {"kind": "robust_percentile", "low": 0, "high": 2, "maximum": 1},
        {"kind": "rgb", "low": 0},
        {"kind": "zscore", "low": 0, "high": float("inf")},
        {"kind": "?"},
    ],
)
def test_bad_landmarks_are_refused_in_one_sentence(values):
    with pytest.raises(InputError, match="landmarks .* cannot be used"):
        parse_landmarks(values)


def test_real_ct_survives_the_window(shared_data):
    from surgical_style_engine.imageio.read import read_volume

    volume = read_volume(shared_data / "ct" / "totalseg_example_ct.nii.gz")
    landmarks = HUWindow().fit(volume.array)
    back = landmarks.inverse(landmarks.forward(volume.array))
    assert np.abs(back - np.clip(volume.array, -1000, 2000)).max() < 1e-3


def test_real_mr_of_one_patient_agree_after_normalisation(shared_data):
    """Two studies with different settings: the heads' medians agree, and nothing above low is lost."""
    from surgical_style_engine.imageio.read import read_volume

    folder = shared_data / "open-ms" / "longitudinal"
    arrays = [read_volume(folder / f"patient01_study{number}_T1W.nii.gz").array for number in (1, 2)]
    normalized = []
    for array in arrays:
        landmarks = RobustPercentile().fit(array)
        normalized.append(np.median(landmarks.forward(foreground(array))))
        values = np.clip(array.astype(np.float32), landmarks.low, None)
        back = landmarks.inverse(landmarks.forward(array))
        assert np.abs(back - values).max() < 1e-5 * (values.max() - landmarks.low)
    assert abs(normalized[0] - normalized[1]) < 0.1
