"""Bounds on memory: while something of unknown appetite is tried, and what is left of one that the system has set."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


_one_at_a_time = threading.RLock()  # what one thread has bounded another must not take for the bound before


@contextlib.contextmanager
def at_most_more(size: int) -> Iterator[None]:
    """Within it the process gets no more address space than it has and ``size`` bytes; what asks for it fails.

    Linux only; elsewhere nothing is bounded. It holds for all threads.

    Args:
        size: Bytes.
    """
    if resource is None or sys.platform != "linux":
        yield
        return
    with _one_at_a_time:
        yield from _bounded(size)


def _bounded(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _used() + size
    if any(bound != resource.RLIM_INFINITY and bound < limit for bound in (soft, hard)):
        yield  # there is a tighter one already
        return
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def room_left() -> int | None:
    """Address space that the process may still take, bytes; None where nothing bounds it, or nobody can tell.

    Example:
        >>> with at_most_more(1 << 30):
        ...     room_left() <= 1 << 30 if room_left() is not None else True
        True
    """
    if resource is None or sys.platform != "linux":
        return None
    bounds = [bound for bound in resource.getrlimit(resource.RLIMIT_AS) if bound != resource.RLIM_INFINITY]
    return max(0, min(bounds) - _used()) if bounds else None


def _used() -> int:
    """The process's address space, bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
