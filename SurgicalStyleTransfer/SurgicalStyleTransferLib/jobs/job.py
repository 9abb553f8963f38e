"""What every job of the worker has in common: requests, progress, cancelling, one end, and no files left behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        stage: what the worker does now: "load" and "translate" of a style, "fuse", or "figures" where it judges.
        done: steps of this frame that are done.
        total: steps of a frame.
        frame: number of the frame, from 1.
        frames: how many frames there are; 1 for a single volume.
        seconds_left: None while nobody can tell.
    """

    stage: str
    done: int
    total: int
    frame: int = 1
    frames: int = 1
    seconds_left: float | None = None


@dataclass(frozen=True)
class Listener:
    """Whom a job tells.

    Attributes:
        on_done: called with the job's outcome.
        on_error: called with a code ("bad_input", "failed", "cancelled", "abandoned", "stopped", "died") and one
            sentence, which may be "" where there is nothing to say.
        on_progress: called between the steps.
    """

    on_done: Callable[[Any], None]
    on_error: Callable[[str, str], None]
    on_progress: Callable[[Progress], None] = lambda progress: None


class Job:
    """One piece of work, from its first request to its end, without blocking Slicer.

    Exactly one of the listener's ``on_done`` and ``on_error`` is called, once. A subclass says what is asked first in
    ``_begin``, goes on from answer to answer with ``_ask``, and ends with ``_finish``.
    """

    def __init__(self, client: WorkerClient, exchange: Exchange, listener: Listener) -> None:
        self._client, self._exchange, self._listener = client, exchange, listener
        self._files: list[Path | str] = []
        self._request: int | None = None
        self._ended = False
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the job was made."""
        return time.monotonic() - self._started

    def start(self) -> None:
        """Begin; what cannot even be asked for is reported the same way as later failures."""
        self._try(self._begin, code="bad_input")

    def cancel(self) -> None:
        """Ask the worker to stop; the end comes with its answer."""
        if self._request is not None and not self._ended:
            self._client.cancel(self._request)

    def abandon(self, message: str) -> None:
        """End at once because a node or the scene goes; the answer that still comes is not waited for."""
        if not self._ended:
            self.cancel()
            self._fail("abandoned", message)

    def _begin(self) -> None:
        """Ask for the first thing. Raises ValueError or OSError with a sentence."""
        raise NotImplementedError

    def _ask(self, task: str, on_answer: Callable[[dict], None], **arguments: object) -> None:
        """Send a request. What ``on_answer`` raises (ValueError, OSError, RuntimeError) ends the job."""

        def answered(answer: dict) -> None:
            self._request = None
            if self._ended:
                self._discard()
            else:
                self._try(on_answer, answer, code="failed")

        def refused(code: str, message: str) -> None:
            self._request = None
            self._fail(code, message)

        number = self._client.request(task, answered, refused, self._on_message, **arguments)
        if not self._ended:  # a worker that cannot start has answered already
            self._request = number

    def _try(self, step: Callable[..., None], *arguments: object, code: str) -> None:
        """Take a step of the job; what it raises is the job's end, with a code."""
        try:
            step(*arguments)
        except (ValueError, OSError, RuntimeError) as error:
            if self._ended:
                raise  # not the job's any more: whoever was told of its end raised it
            self._fail(code, str(error))

    def _new_file(self, name: str) -> Path:
        """A path in the exchange for the worker to write to; no file is left there when the job is over."""
        path = self._exchange.new_path(name)
        self._files.append(path)
        return path

    def _on_message(self, stage: str, done: int, total: int) -> None:
        self._tell(Progress(stage, done, total))

    def _tell(self, progress: Progress) -> None:
        if not self._ended:
            self._listener.on_progress(progress)

    def _finish(self, outcome: object) -> None:
        self._ended = True
        self._discard()
        self._listener.on_done(outcome)

    def _fail(self, code: str, message: str) -> None:
        # The worker still reads and writes the files of an abandoned job; they go with its answer.
        if self._request is None:
            self._discard()
        if not self._ended:
            self._ended = True
            self._listener.on_error(code, message)

    def _discard(self) -> None:
        for path in self._files:
            self._exchange.discard(path)


class FramewiseJob(Job):
    """A job that asks the same for every frame of a sequence, one after the other; a single volume is one frame."""

    def __init__(self, client: WorkerClient, exchange: Exchange, listener: Listener) -> None:
        super().__init__(client, exchange, listener)
        self._answers: list[dict] = []

    @property
    def frames_done(self) -> int:
        """How many frames the worker has answered."""
        return len(self._answers)

    def _frame_count(self) -> int:
        raise NotImplementedError

    def _ask_frame(self, index: int) -> None:
        """Ask for a frame, with ``_on_frame`` for its answer. Raises ValueError or OSError with a sentence."""
        raise NotImplementedError

    def _all_answered(self) -> None:
        """Make the outcome of ``_answers`` and finish."""
        raise NotImplementedError

    def _begin(self) -> None:
        self._ask_frame(0)

    def _on_frame(self, answer: dict) -> None:
        self._answers.append(answer)
        if self.frames_done < self._frame_count():
            self._try(self._ask_frame, self.frames_done, code="bad_input")
        else:
            self._all_answered()

    def _on_message(self, stage: str, done: int, total: int) -> None:
        self._tell(Progress(stage, done, total, self.frames_done + 1, self._frame_count()))
