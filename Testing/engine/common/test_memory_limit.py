"""What asks for too much fails, and afterwards all is as before."""

import sys

import numpy as np
import pytest

from surgical_style_engine.common.memory_limit import at_most_more, room_left


def test_within_it_memory_is_bounded_and_afterwards_not():
    with at_most_more(1 << 30):
        assert np.zeros(1 << 20, np.uint8).size
        if sys.platform == "linux":
            with pytest.raises(MemoryError):
                np.zeros(2 << 30, np.uint8)
    assert np.zeros(2 << 30, np.uint8).size == 2 << 30


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_a_tighter_one_stays():
    import resource

    with at_most_more(1 << 30):
        before = resource.getrlimit(resource.RLIMIT_AS)
        with at_most_more(8 << 30):
            assert resource.getrlimit(resource.RLIMIT_AS) == before
        assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_it_goes_with_a_failure():
    with pytest.raises(ZeroDivisionError), at_most_more(1 << 30):
        raise ZeroDivisionError
    assert np.zeros(2 << 30, np.uint8).size == 2 << 30


def test_what_is_left_of_a_limit():
    before = room_left()
    with at_most_more(1 << 30):
        assert sys.platform != "linux" or (1 << 30) - (64 << 20) < room_left() <= 1 << 30
    assert room_left() == before or before is not None  # the process may have grown
