"""What every runner can do, and batches that are made smaller until they fit."""

import numpy as np
import pytest
from fakes import Fake

from surgical_style_engine.backends.runner import Runner, run_smaller_on_memory_error
from surgical_style_engine.errors import OutOfMemoryError


def test_a_runner_that_does_one_thing_after_the_other_gives_a_finished_result():
    runner = Fake(np.negative)
    batch = np.ones((2, 1, 4, 4), np.float32)
    fetch = runner.start(batch)
    assert runner.ahead == 0 and runner.shapes == [batch.shape]
    batch[:] = 7
    np.testing.assert_array_equal(fetch(), -np.ones((2, 1, 4, 4)))
    with pytest.raises(MemoryError):
        Fake(most=1).start(batch)


def test_what_a_runner_says():
    runner = Fake()
    runner.begin()
    assert runner.warnings == [] and runner.outcome() == {}
    runner.note = "Computed in fp32."
    assert runner.warnings == ["Computed in fp32."] and Fake().warnings == []


def test_a_runner_runs():
    with pytest.raises(TypeError, match="abstract"):
        Runner()


@pytest.mark.parametrize(("most", "fitted"), [(9, 9), (8, 5), (5, 5), (4, 3), (2, 2), (1, 1)])
def test_batches_are_halved_until_they_fit(most, fitted):
    batch = np.arange(9 * 4, dtype=np.float32).reshape(9, 1, 2, 2)
    result, size = run_smaller_on_memory_error(Fake(np.negative, most=most), batch)
    assert size == fitted and np.array_equal(result, -batch)


def test_not_even_one_slice():
    with pytest.raises(OutOfMemoryError, match="too little memory for a single slice of 6x8; use the device cpu"):
        run_smaller_on_memory_error(Fake(device="cuda:0", most=0), np.zeros((4, 1, 6, 8), np.float32))


def test_another_failure_is_none_of_memory():
    def fail(batch):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_smaller_on_memory_error(Fake(fail), np.zeros((9, 1, 2, 2), np.float32))
