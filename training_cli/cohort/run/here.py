"""The tasks of a cohort, one after the other in this process; beside each, a thread reads the next and writes the last.

So at most one volume is in memory ahead of its turn. Only this thread computes: signals and progress are its own, and
the libraries that compute keep their threads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from training_cli.main import check_signals

from .steps import begin, compute, end
from .work import Doing, Failed, Finished, Ready, Spread, Task, Work


def here(shown: Any = None) -> Spread:
    """Does tasks in this process.

    Args:
        shown: ``training_cli.progress.Progress`` to show the progress within each volume; None for none.
    """

    @contextlib.contextmanager
    def spread(work: Work) -> Iterator[Doing]:
        ready = work.prepare(shown)
        yield lambda tasks: _overlapping(ready, tasks)

    return spread


def _overlapping(ready: Ready, tasks: Sequence[Task]) -> Iterator[Finished]:
    """Each task when it is written, which is while the next one is computed."""
    beside = ThreadPoolExecutor(1, thread_name_prefix="cohort-files")
    writing: Future[Finished] | None = None
    try:
        reading = beside.submit(begin, ready, tasks[0])
        for number, task in enumerate(tasks):
            step = reading.result()
            if number + 1 < len(tasks):
                reading = beside.submit(begin, ready, tasks[number + 1])
            step = compute(ready, step, f"{task.name} ({number + 1}/{len(tasks)})")
            if isinstance(step.outcome, Failed):
                check_signals()  # a library that was interrupted may have called it a failure of its own
            if writing is not None:
                finished, writing = writing.result(), None
                yield finished
            writing = beside.submit(end, step)
            del step
        if writing is not None:
            finished, writing = writing.result(), None
            yield finished
    except GeneratorExit:
        raise
    except BaseException:  # who interrupts this volume keeps the one before, which may be just being written
        if writing is not None:
            yield writing.result()
        raise
    finally:
        beside.shutdown(cancel_futures=True)
