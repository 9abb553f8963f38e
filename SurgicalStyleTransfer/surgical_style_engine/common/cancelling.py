"""Whether whoever asked has changed their mind, for work far below that has no other way to know."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from surgical_style_engine.errors import Cancelled

_asked: ContextVar[Callable[[], bool] | None] = ContextVar("cancelled", default=None)


@contextlib.contextmanager
def cancellable(cancelled: Callable[[], bool]) -> Iterator[None]:
    """Within it, ``check_cancelled`` asks ``cancelled``."""
    token = _asked.set(cancelled)
    try:
        yield
    finally:
        _asked.reset(token)


def check_cancelled() -> None:
    """Raise Cancelled where the request that is worked on was cancelled."""
    cancelled = _asked.get()
    if cancelled is not None and cancelled():
        raise Cancelled("The request was cancelled.")
