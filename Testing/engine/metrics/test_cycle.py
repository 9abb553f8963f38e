"""The article's cycle figures, with translators whose errors are known."""

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics import (
    cycle_error_map,
    cycle_metrics,
    jigsaw_puzzle_error,
    look_ahead_score,
)
from surgical_style_engine.metrics.cycle import NOISE, degrade


@pytest.fixture
def source():
    return np.random.default_rng(1).uniform(-0.8, 0.8, (1, 6, 40, 40)).astype(np.float32)


def test_raw_errors_are_the_distances_of_two_and_of_four_translations(source):
    # F falls short by 0.1 each time: after one cycle the error is 0.1, after two 0.2.
    figures = cycle_metrics(source, lambda a: -a, lambda a: -a - 0.1)
    assert figures.look_ahead.raw == pytest.approx(0.1, abs=1e-5)
    assert figures.jigsaw.raw == pytest.approx(0.2, abs=1e-5)


def test_noise_of_three_of_255_shows_in_the_score_of_a_perfect_cycle(source):
    score = look_ahead_score(source, lambda a: -a, lambda a: -a)
    assert score.raw == 0
    deviation = np.hypot(2 * NOISE, 2 / 255 / np.sqrt(12))
    assert score.value == pytest.approx(deviation * np.sqrt(2 / np.pi), rel=0.03)
    # Three noisy translations in a row, the fourth is the result.
    puzzle = jigsaw_puzzle_error(source, lambda a: -a, lambda a: -a)
    assert puzzle.value == pytest.approx(np.sqrt(3) * deviation * np.sqrt(2 / np.pi), rel=0.03)


def test_a_source_hidden_below_the_noise_is_found_out(source):
    # G draws a flat picture and hides the source at 1/1000 of the range; F blows it up again.
    def hide(array):
        return array / 1000

    def reveal(array):
        return np.clip(array * 1000, -1, 1)

    score = look_ahead_score(source, hide, reveal)
    assert score.raw < 1e-5
    assert score.value > 0.5


def test_same_seed_same_score_and_other_seed_another(source):
    def both(seed):
        return look_ahead_score(source, np.negative, np.negative, seed=seed).value

    assert both(3) == both(3)
    assert both(3) != both(4)


def test_only_voxels_inside_the_mask_count(source):
    mask = np.zeros(source.shape[1:], bool)
    mask[2:4, 10:20, 10:20] = True

    def spoil_outside(array):
        return np.where(mask, array, 1)

    assert look_ahead_score(source, lambda a: a, spoil_outside, mask).raw == 0
    assert look_ahead_score(source, lambda a: a, spoil_outside).raw > 0.5
    with pytest.raises(InputError, match="empty"):
        look_ahead_score(source, np.negative, np.negative, np.zeros_like(mask))


def test_error_map_shows_where_the_cycle_fails(source):
    def fail_in_slice_2(array):
        result = array.copy()
        result[:, 2] += 0.5
        return result

    error = cycle_error_map(source, lambda a: a, fail_in_slice_2)
    assert error.shape == source.shape and error.dtype == np.float32
    assert error[:, 2].mean() > 0.4 > 0.1 > error[:, 3].mean()


def test_translation_at_hand_saves_a_call(source):
    calls = []

    def forward(array):
        calls.append("G")
        return -array

    def backward(array):
        calls.append("F")
        return -array

    cycle_metrics(source, forward, backward, translated=-source, jigsaw=False)
    assert calls == ["F", "F"]
    calls.clear()
    cycle_metrics(source, forward, backward)
    assert calls.count("G") == 3 and calls.count("F") == 4


def test_domains_with_other_channels_are_refused(source):
    with pytest.raises(InputError, match="channels"):
        look_ahead_score(source, lambda a: np.repeat(a, 3, 0), lambda a: a)


def test_degraded_values_stay_in_range_and_keep_the_mean():
    ramp = np.linspace(-1, 1, 100_000, dtype=np.float32)
    noisy = degrade(ramp, np.random.default_rng(0))
    assert noisy.dtype == np.float32 and noisy.min() >= -1 and noisy.max() <= 1
    inner = slice(10_000, 90_000)
    assert (noisy - ramp)[inner].std() == pytest.approx(2 * NOISE, rel=0.03)
    assert abs((noisy - ramp)[inner].mean()) < 5e-4
