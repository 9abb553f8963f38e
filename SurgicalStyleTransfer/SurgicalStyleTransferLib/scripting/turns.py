"""Calls that wait for the worker, or come back at once and call back; one at a time for each kind of job."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.job import Job, Listener

POLL_SECONDS = 0.01
RETRY_MS = 50


@dataclass(frozen=True)
class Turn:
    """One call.

    Attributes:
        start: starts the job and tells the listener of its end; what it raises (ValueError, RuntimeError) is the end.
        under_way: the job of this kind that runs now, anybody's, or None.
        value: makes what the caller gets of the job's outcome.
    """

    start: Callable[[Listener], None]
    under_way: Callable[[], Job | None]
    value: Callable[[object], object]


class Turns:
    """Those who called, in their order."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Turn, Listener]] = deque()

    def wait(self, turn: Turn, timeout: float) -> object:
        """Take a turn and come back with its value; Slicer stays alive meanwhile.

        Args:
            turn: what is to be done.
            timeout: in seconds, of the whole call; the job is given up then.

        Raises:
            RuntimeError: with the sentence that the panel would show.
        """
        _check_thread()
        ends: list = []
        listener = Listener(ends.append, lambda code, message: ends.append(_error(code, message)))
        self._queue(turn, listener)
        until = time.monotonic() + timeout
        while not ends:
            if time.monotonic() > until:
                self._give_up(turn, listener)
                raise RuntimeError(_("The worker took longer than {seconds:g} s.").format(seconds=timeout))
            slicer.app.processEvents()
            time.sleep(POLL_SECONDS)
        if isinstance(ends[0], Exception):
            raise ends[0]
        return turn.value(ends[0])

    def call_back(
        self, turn: Turn, on_done: Callable[[object], None], on_error: Callable[[str], None] | None = None
    ) -> None:
        """Take a turn; one of the two is called at its end, from Slicer's event loop.

        Args:
            turn: what is to be done.
            on_done: called with its value.
            on_error: called with one sentence; None logs it.
        """
        _check_thread()
        # Not from within the worker's signal: Qt signals no further answer there, so that whoever waits for one
        # in the callback would wait for ever.
        failed = on_error or logging.error
        self._queue(
            turn,
            Listener(
                lambda outcome: _later(lambda: on_done(turn.value(outcome))),
                lambda code, message: _later(lambda: failed(str(_error(code, message)))),
            ),
        )

    def _queue(self, turn: Turn, listener: Listener) -> None:
        self._waiting.append((turn, listener))
        self._next()

    def _next(self) -> None:
        """Start who is first, or look again later."""
        if not self._waiting:
            return
        turn, listener = self._waiting[0]
        if turn.under_way() is not None:
            qt.QTimer.singleShot(RETRY_MS, self._next)
            return
        self._waiting.popleft()
        try:
            turn.start(listener)
        except (ValueError, RuntimeError, OSError) as error:
            listener.on_error("bad_input", str(error))
        self._next()

    def _give_up(self, turn: Turn, listener: Listener) -> None:
        if (turn, listener) in self._waiting:
            self._waiting.remove((turn, listener))
        elif (job := turn.under_way()) is not None:
            job.abandon("")


def _later(function: Callable[[], None]) -> None:
    qt.QTimer.singleShot(0, function)


def _error(code: str, message: str) -> RuntimeError:
    return RuntimeError(message or _("The run was ended ({code}).").format(code=code))


def _check_thread() -> None:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(_("Nodes and the worker belong to Slicer's main thread; call this from there."))
