"""A task in three steps, so that the next volume is read and the last one written while the network runs.

Each step takes what the one before it gave, and never fails: what goes wrong becomes the task's own outcome. Only the
second one computes; the others may run in another thread, beside the second one of another task.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from surgical_style_engine.app.inputs import Files, VolumeOrPath
from surgical_style_engine.errors import Cancelled, MisfitError, StyleTransferError
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume

from .digests import content_of, stamp_of
from .work import Done, Failed, Finished, Ready, Task


class Ahead(Files):
    """Volumes that were read before their turn, and files that are written when all is computed."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._read: dict[Path, Volume] = {}
        self._later: list[Callable[[], None]] = []

    def fetch(self, paths: Sequence[Path]) -> None:
        """Read volumes ahead of their turn; what cannot be read now is read, and refused, in its turn."""
        for path in paths:
            with contextlib.suppress(Exception):
                self._read[path] = super().read(path)

    def read(self, source: VolumeOrPath) -> Volume:
        """The volume itself, the one that was read ahead, or that of a file or DICOM folder. Raises InputError."""
        known = None if isinstance(source, Volume) else self._read.pop(source, None)
        return super().read(source) if known is None else known

    def write(self, volume: Volume, path: Path, notes: dict[str, str]) -> None:
        """Write a volume when all is computed."""
        self.later(lambda: write_volume(volume, path, notes))

    def later(self, action: Callable[[], None]) -> None:
        """Do it when all is computed, after what was to be done later before."""
        self._later.append(action)

    def finish(self) -> None:
        """Write. Raises StyleTransferError or OSError."""
        self._read.clear()
        actions, self._later = self._later, []
        while actions:
            actions.pop(0)()  # what is written needs its room no longer


@dataclass(eq=False)
class Step:
    """How far a task has come.

    Attributes:
        task: It.
        files: What was read ahead, and what is still to be written.
        stamp: Sizes and times of the inputs before they were read.
        digest: Of what was read.
        outcome: What came of it; None before it is computed.
        seconds: For the steps so far, without waiting between them.
    """

    task: Task
    files: Ahead
    stamp: str = ""
    digest: str = ""
    outcome: Done | Failed | None = None
    seconds: float = 0.0


def begin(ready: Ready, task: Task) -> Step:
    """Read what a task needs.

    Args:
        ready: What will do it.
        task: One volume.
    """
    step = Step(task, Ahead())

    def read() -> None:
        step.stamp = stamp_of(task.inputs)
        step.digest = content_of(task.inputs)
        step.files.fetch(ready.ahead(task))

    return _done(step, read)


def compute(ready: Ready, step: Step, title: str = "") -> Step:
    """Do all of a task but writing.

    Args:
        ready: What does it.
        step: What ``begin`` gave.
        title: What it is called where progress is shown; its name if empty.

    Raises:
        Cancelled: Where the caller asked to stop.
    """

    def run() -> None:
        step.outcome = ready.run(step.task, title or step.task.name, step.files)

    return step if step.outcome is not None else _done(step, run)


def end(step: Step, worker: str = "") -> Finished:
    """Write what a task has come to.

    Args:
        step: What ``compute`` gave.
        worker: Who did it; empty for this process.
    """
    if isinstance(step.outcome, Done):
        _done(step, step.files.finish)
    assert step.outcome is not None
    return Finished(step.task, step.outcome, step.seconds, step.stamp, step.digest, worker)


def attempt(ready: Ready, task: Task, title: str = "") -> Finished:
    """Do a task, one step after the other; whatever comes of it. Raises Cancelled, see ``compute``."""
    return end(compute(ready, begin(ready, task), title))


def _done(step: Step, action: Callable[[], None]) -> Step:
    begun = time.perf_counter()
    try:
        action()
    except Cancelled:
        raise
    except StyleTransferError as error:
        step.outcome = Failed(_one_line(str(error)), is_misfit=isinstance(error, MisfitError))
    except MemoryError:
        step.outcome = Failed("There is too little memory for this volume.")
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        step.outcome = Failed(_one_line(f"{place}{error.strerror or error}."))
    except Exception as error:  # the other volumes are not to wait for a fault that one of them uncovers
        step.outcome = Failed(_one_line(f"An unexpected error, {type(error).__name__}: {error}"))
    step.seconds += time.perf_counter() - begun
    return step


def _one_line(text: str) -> str:
    return " ".join(text.split())
