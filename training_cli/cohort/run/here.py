"""The tasks of a cohort, one after the other in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from training_cli.main import check_signals

from .work import Doing, Failed, Finished, Spread, Task, Work, attempt


def here(shown: Any = None) -> Spread:
    """Does tasks in this process.

    Args:
        shown: ``training_cli.progress.Progress`` to show the progress within each volume; None for none.
    """

    @contextlib.contextmanager
    def spread(work: Work) -> Iterator[Doing]:
        ready = work.prepare(shown)

        def doing(tasks: Sequence[Task]) -> Iterator[Finished]:
            for number, task in enumerate(tasks):
                finished = attempt(ready, task, f"{task.name} ({number + 1}/{len(tasks)})")
                if isinstance(finished.outcome, Failed):
                    check_signals()  # a library that was interrupted may have called it a failure of its own
                yield finished

        yield doing

    return spread
