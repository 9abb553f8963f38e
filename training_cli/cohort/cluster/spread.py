"""A cohort's tasks on the workers of a cluster, a few at a time, until all are finished.

Dask itself gives the task of a worker that is gone to another one. What it cannot know stands here: a worker that lacks
the model is left out, and a scheduler that is gone ends the run, which a second call goes on with.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from distributed import CancelledError, Client, Future, KilledWorker, wait

from surgical_style_engine.common.version import __version__
from surgical_style_engine.errors import StyleTransferError
from training_cli.cohort.checks import told
from training_cli.cohort.run.work import Doing, Failed, Finished, Spread, Task, Work

from .connect import ClusterOptions, connected
from .worker import Probed, Unready, do_task, probe

AHEAD = 1  # tasks a worker that are on their way beside those that its threads have
FIRST_WORKER_SECONDS = 600  # schedulers of batch systems start workers when there is room
OTHER_WORKER_SECONDS = 30  # in which others may come where none of those that are there can do it
_LOOK_SECONDS = 2.0  # after which it is looked whether the scheduler is still there


def on_cluster(options: ClusterOptions, shown: Any = None) -> Spread:
    """Does tasks on the workers of a cluster, all with the device, backend and precision that the first one chose.

    Args:
        options: Who works.
        shown: ``training_cli.progress.Progress`` to show how many volumes are done; None for none.
    """

    @contextlib.contextmanager
    def spread(work: Work) -> Iterator[Doing]:
        with connected(options) as client:
            crew = _Crew(client, options.scheduler or "of this machine", uuid.uuid4().hex[:12])
            settled = crew.settled(work)
            workers = len(client.scheduler_info(n_workers=-1)["workers"])
            told([f"{workers} workers; dashboard: {client.dashboard_link}"])

            def doing(tasks: Sequence[Task]) -> Iterator[Finished]:
                if shown is not None:
                    shown.stage(f"{len(tasks)} volumes on {workers} workers")
                for done, finished in enumerate(crew.do(settled, tasks), 1):
                    if shown is not None:
                        shown(done, len(tasks))
                    yield finished

            yield doing

    return spread


@dataclass(frozen=True)
class _Sent:
    """A task that is on its way, and the only workers that may do it; None for any."""

    task: Task
    able: list[str] | None


@dataclass
class _Crew:
    """The workers of a scheduler.

    Attributes:
        client: The connection.
        scheduler: What the scheduler is called in messages.
        run: Name of the run.
        unready: Workers that cannot do the work, and why.
    """

    client: Client
    scheduler: str
    run: str
    unready: dict[str, str] = field(default_factory=dict)

    def settled(self, work: Work) -> Work:
        """The work as the first worker that can do it chose to run it. Raises StyleTransferError where none can."""
        try:
            self.client.wait_for_workers(1, timeout=FIRST_WORKER_SECONDS)
        except TimeoutError:
            raise StyleTransferError(
                f"No worker has come to the scheduler {self.scheduler} within {FIRST_WORKER_SECONDS} s."
            ) from None
        while True:
            future = self._submit(probe, self._able(), work)
            outcome = self._outcome(future)
            if isinstance(outcome, Probed):
                return work.settled(outcome.choice)
            self._leave_out(outcome)

    def do(self, work: Work, tasks: Sequence[Task]) -> Iterator[Finished]:
        """Each task as it is finished. Raises StyleTransferError where the scheduler is gone."""
        waiting = deque(_absolute(task) for task in tasks)
        running: dict[Future, _Sent] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self._room():
                    sent = _Sent(waiting.popleft(), self._able())
                    running[self._submit(do_task, sent.able, work, sent.task)] = sent
                for future in self._finished(running):
                    task = running.pop(future).task
                    if future.status == "pending":  # those who were to do it have gone
                        future.cancel(force=True)
                        waiting.appendleft(task)
                        continue
                    outcome = self._outcome(future, task)
                    if isinstance(outcome, Unready):
                        self._leave_out(outcome)
                        waiting.appendleft(task)
                    else:
                        yield outcome
        finally:
            with contextlib.suppress(Exception):  # the scheduler may be gone
                self.client.cancel(list(running), force=True)

    def _submit(self, function: Any, able: list[str] | None, work: Work, *task: Task) -> Future:
        with self._reaching():
            return self.client.submit(function, work, *task, self.run, __version__, pure=False, workers=able)

    def _able(self) -> list[str] | None:
        """Workers that may be able to do the work, None for all; raises StyleTransferError where none is.

        Others than those that are there now may still be coming.
        """
        until = time.monotonic() + OTHER_WORKER_SECONDS
        while self.unready:
            self._check()
            if able := [address for address in self._workers() if address not in self.unready]:
                return able
            if time.monotonic() > until:
                raise StyleTransferError(f"No worker can do it: {next(iter(self.unready.values()))}")
            time.sleep(0.1)
        return None

    def _finished(self, running: dict[Future, _Sent]) -> list[Future]:
        """Those that are no longer pending, or will be for ever; at least one. Raises where all workers have gone."""
        seen = time.monotonic()
        while True:
            self._check()
            with contextlib.suppress(TimeoutError, asyncio.TimeoutError, CancelledError):
                wait(list(running), timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED")
            if done := [future for future in running if future.status != "pending"]:
                return done
            there = set(self._workers())
            seen = time.monotonic() if there else seen
            if time.monotonic() - seen > FIRST_WORKER_SECONDS:
                raise StyleTransferError(
                    f"The scheduler {self.scheduler} has had no worker for {FIRST_WORKER_SECONDS} s. What is done is "
                    "kept; the same command goes on from there."
                )
            if lost := [each for each, sent in running.items() if sent.able and there.isdisjoint(sent.able)]:
                return lost

    def _outcome(self, future: Future, task: Task | None = None) -> Any:
        """What came of a task; raises StyleTransferError where the cluster, and not the task, is to blame."""
        try:
            return future.result()
        except KilledWorker:
            reason = "The workers that did it were killed one after the other, perhaps for lack of memory."
            if task is None:
                raise StyleTransferError(f"No worker can do it: {reason}") from None
            return Finished(task, Failed(reason), 0.0, "", "")
        except (CancelledError, OSError, TimeoutError):
            self._check(gone=True)
        except ImportError as error:
            raise StyleTransferError(
                f"The workers lack the Python package {error.name or error}; they need this program installed, too."
            ) from None
        except Exception as error:  # whatever happens where the task was unpacked, or its result packed
            reason = f"An unexpected error on a worker, {type(error).__name__}: {' '.join(str(error).split())}"
            if task is None:
                raise StyleTransferError(reason) from None
            return Finished(task, Failed(reason), 0.0, "", "")

    def _leave_out(self, worker: Unready) -> None:
        if worker.worker not in self.unready:
            told([f"The worker {worker.worker} is left out: {worker.sentence}"])
        self.unready[worker.worker] = worker.sentence

    def _check(self, gone: bool = False) -> None:
        if gone or self.client.status not in ("running", "connecting"):
            raise StyleTransferError(
                f"The scheduler {self.scheduler} is gone. What is done is kept; the same command goes on from there."
            )

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """Within it, a connection that breaks means that the scheduler is gone."""
        try:
            yield
        except (OSError, TimeoutError):
            self._check(gone=True)

    def _workers(self) -> list[str]:
        workers: list[str] = []
        with self._reaching():
            workers = list(self.client.scheduler_info(n_workers=-1)["workers"])
        return workers

    def _room(self) -> int:
        """How many tasks may be on their way."""
        threads: list[int] = []
        with self._reaching():
            threads = list(self.client.nthreads().values())
        return max(1, sum(threads) + AHEAD * len(threads))


def _absolute(task: Task) -> Task:
    """The task with paths that mean the same in every folder."""
    inputs = tuple(path.absolute() for path in task.inputs)
    return Task(task.volume, inputs, tuple(path.absolute() for path in task.outputs), task.values)
