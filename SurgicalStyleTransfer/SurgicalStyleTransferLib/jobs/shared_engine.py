"""One engine for all widgets of the module: each knows the runs and results of the others, and there is one worker."""

from __future__ import annotations

from collections.abc import Callable

from .engine import Engine

_users: dict[int, int] = {}
_engines: list[Engine] = []


def acquire(make: Callable[[], Engine]) -> Engine:
    """The engine that is in use, or a new one; each call is followed by one ``release``.

    One that a script has closed is in use no more; who still has it releases it all the same.
    """
    _engines[:] = [engine for engine in _engines if not engine.is_closed]
    if not _engines:
        _engines.append(make())
    engine = _engines[0]
    _users[id(engine)] = _users.get(id(engine), 0) + 1
    return engine


def release(engine: Engine) -> None:
    """One user less; the last one ends the worker and deletes the exchanged files."""
    left = _users.get(id(engine), 1) - 1
    if left:
        _users[id(engine)] = left
        return
    _users.pop(id(engine), None)
    if engine in _engines:
        _engines.remove(engine)
    engine.close()
