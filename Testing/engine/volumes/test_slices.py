"""Which slices run, with which neighbours, padded to which size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgical_style_engine.volumes.slices import (
    body_slices,
    gather_stacks,
    middle,
    pad_to_multiple,
    stack_indices,
    stack_step,
)


def test_only_slices_with_something_in_them_run():
    array = np.full((1, 5, 32, 32), -1, np.float32)
    array[0, 1, 10:20, 10:20] = 0.5  # body
    array[0, 2] = 0.7  # constant, and bright
    array[0, 3] += np.random.default_rng(0).uniform(0, 0.01, (32, 32))  # noise
    array[0, 4, 5, 5:7] = 1  # little, but something
    assert body_slices(array).tolist() == [False, True, False, False, True]


def test_a_single_hot_pixel_of_many_is_nothing():
    array = np.full((1, 1, 200, 200), -1, np.float32)
    array[0, 0, 3, 3] = 1
    assert not body_slices(array).any()


def test_colour_slices_are_judged_by_channel():
    array = np.zeros((3, 2, 8, 8), np.float32)
    array[0] = 1  # plainly red
    assert body_slices(array).tolist() == [False, False]
    array[2, 1, :4] = 0.3
    assert body_slices(array).tolist() == [False, True]


@pytest.mark.parametrize(
    ("stack_mm", "slice_mm", "step"),
    [(3, 3, 1), (3, 1, 3), (3, 0.9, 3), (3, 6, 1), (3, 1.5, 2), (0, 1, 1), (3, 0, 3_000_000)],
)
def test_neighbours_are_the_learned_distance_apart(stack_mm, slice_mm, step):
    assert stack_step(stack_mm, slice_mm) == step


def test_neighbours_are_clamped_at_the_ends():
    assert stack_indices(4, 3).tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]
    assert stack_indices(5, 3, 2).tolist() == [[0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 4], [2, 4, 4]]
    assert stack_indices(3, 1).tolist() == [[0], [1], [2]]
    assert stack_indices(1, 5, 7).tolist() == [[0] * 5]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.sampled_from([1, 3, 5, 7]), st.integers(1, 9))
def test_the_slice_itself_is_in_the_middle(count, stack, step):
    indices = stack_indices(count, stack, step)
    assert indices.shape == (count, stack)
    assert indices.min() >= 0 and indices.max() < count
    assert np.array_equal(indices[:, stack // 2], np.arange(count))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 6), st.sampled_from([1, 3, 5]))
def test_gathered_stacks_hold_the_channels_of_each_neighbour_in_turn(c, s, stack):
    array = np.random.default_rng(0).normal(size=(c, s, 4, 5)).astype(np.float32)
    indices = stack_indices(s, stack)
    stacks = gather_stacks(array, indices)
    assert stacks.shape == (s, stack * c, 4, 5) and stacks.flags.c_contiguous
    for n in range(s):
        for k in range(stack):
            assert np.array_equal(stacks[n, k * c : (k + 1) * c], array[:, indices[n, k]])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 2, 4, 8, 32]))
def test_padding_is_cropped_away_exactly(h, w, multiple):
    batch = np.random.default_rng(0).normal(size=(2, 3, h, w)).astype(np.float32)
    padded, crop = pad_to_multiple(batch, multiple)
    assert padded.shape[-2] % multiple == 0 and padded.shape[-1] % multiple == 0
    assert padded.shape[-2] - h < multiple and padded.shape[-1] - w < multiple
    assert np.array_equal(padded[(..., *crop)], batch)
    # The edge is repeated: no new values that would shift a network's statistics, no artificial border.
    assert np.array_equal(padded[..., -1, :w], batch[..., -1, :])
    assert np.array_equal(padded[..., :h, -1], batch[..., -1])


def test_the_middle_of_a_stack():
    assert middle(9, 3) == slice(3, 6) and middle(5, 1) == slice(2, 3)
    assert middle(1, 1) == slice(0, 1) and middle(3, 3) == slice(0, 3)
