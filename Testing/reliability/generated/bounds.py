"""The time and memory that a hostile file of a few bytes may take."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

MOST_SECONDS, MOST_MEGABYTES = 10.0, 1000.0


@contextlib.contextmanager
def within_bounds() -> Iterator[None]:
    """Raise AssertionError where what is within took more, by the most memory that the process ever had."""
    memory, seconds = _most_megabytes(), time.process_time()
    yield
    memory, seconds = _most_megabytes() - memory, time.process_time() - seconds
    assert memory < MOST_MEGABYTES, f"{memory:.0f} MB"
    assert seconds < MOST_SECONDS, f"{seconds:.1f} s"


def _most_megabytes() -> float:
    if sys.platform == "win32":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
