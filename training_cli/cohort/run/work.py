"""What is done with the volumes of a cohort, as data that other processes and machines can be sent.

A command says what it does in a ``Work`` and names the volumes in ``Task``s. Whoever does them (``here.run_here``, or
the workers of a cluster) makes the work ready once, with its model loaded, and attempts the tasks (``steps``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from surgical_style_engine.app.inputs import Files

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """One volume of a cohort. Everything in it can be pickled.

    Attributes:
        volume: What the manifest calls it: its path below the cohort's folder, with slashes.
        inputs: The files and folders that are read for this volume alone, the volume itself first.
        outputs: The files or folders that are written; the first is the volume's result.
        values: What else the work has to know of it.
    """

    volume: str
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The volume's own name, without folders."""
        return self.inputs[0].name


@dataclass(frozen=True)
class Done:
    """What came of a task.

    Attributes:
        entry: What a report says of the volume; made of JSON types only.
        picture: A small PNG of it; empty for none.
        quality: The metrics that the manifest has a column for, by the names of ``Work.metrics``.
        extra: Files beside the entry, by their endings, such as ".npy".
    """

    entry: dict[str, Any]
    picture: bytes = b""
    quality: dict[str, float | None] = field(default_factory=dict)
    extra: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """Why a task came to nothing. ``is_misfit``: the volume is not what the model takes."""

    sentence: str
    is_misfit: bool = False


@dataclass(frozen=True)
class Finished:
    """A task that was attempted.

    Attributes:
        task: It.
        outcome: What came of it.
        seconds: For all of it.
        stamp: Sizes and times of the inputs before they were read.
        digest: Of what was read.
        worker: Who did it; empty for this process.
    """

    task: Task
    outcome: Done | Failed
    seconds: float
    stamp: str
    digest: str
    worker: str = ""


class Ready(Protocol):
    """A work that is ready to be done: its model is loaded."""

    def choice(self) -> dict[str, str]:
        """Device, backend and precision that were chosen, for all others to use the same; empty where none are."""
        ...

    def ahead(self, task: Task) -> Sequence[Path]:
        """The volumes of a task that can be read while another task is done."""
        ...

    def run(self, task: Task, title: str, files: Files) -> Done:
        """Do a task: read, compute, write its outputs whole or not at all.

        Args:
            task: One volume.
            title: What it is called where progress is shown.
            files: Reads and writes; others may have read before, and may write later.

        Raises:
            StyleTransferError: Where it cannot be done.
        """
        ...


class Work(Protocol):
    """What a command does with each volume of a cohort. It can be pickled; nothing is loaded yet."""

    @property
    def verb(self) -> str:
        """What was done in the end: "translated"."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that the manifest has columns for."""
        ...

    @property
    def model_digest(self) -> str:
        """Digest of all of the model that results depend on; empty without a model."""
        ...

    @property
    def options(self) -> Mapping[str, Any]:
        """What results depend on beside inputs, model and version; JSON types and paths of files."""
        ...

    def prepare(self, shown: Any = None) -> Ready:
        """Load what all tasks need.

        Args:
            shown: ``training_cli.progress.Progress`` to show the progress within a volume; None for none.

        Raises:
            StyleTransferError: Where this process cannot do it, such as one that lacks the model.
        """
        ...

    def settled(self, choice: Mapping[str, str]) -> Work:
        """The same with the device, backend and precision that were chosen elsewhere."""
        ...


Doing = Callable[[Sequence[Task]], Iterator[Finished]]
# Makes ready for a work, or raises why that cannot be; what it gives does tasks in any order, each given when finished.
Spread = Callable[[Work], AbstractContextManager[Doing]]
