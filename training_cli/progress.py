"""How far long work is: a bar on a terminal, JSON lines for programs, nothing elsewhere."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from surgical_style_engine.errors import InputError

if TYPE_CHECKING:  # imported where a bar is shown
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

KINDS = ("auto", "json", "none")


class Progress:
    """Called as ``progress(done, total)``; ``stage(text)`` names what is being done. Use it as a context manager.

    kind: ``auto`` is a bar where stderr is a terminal, else silence; ``json`` prints {"progress": 0..1, "stage",
    "done", "total"} lines on stdout. Raises InputError for other kinds.
    """

    def __init__(self, kind: str = "auto") -> None:
        if kind not in KINDS:
            raise InputError(f"--progress is {', '.join(KINDS[:-1])} or {KINDS[-1]}, not '{kind}'.")
        self.kind = kind
        self._stage = ""
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Progress:
        if self.kind == "auto" and sys.stderr.isatty():
            # rich takes a tenth of a second to load, which a run without a terminal need not wait for.
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None

    def stage(self, text: str) -> None:
        """Name what is done next."""
        self._stage = text
        if self._bar is not None:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._task = self._bar.add_task(text, total=None)
        elif self.kind == "json":
            print(json.dumps({"progress": 0.0, "stage": text}), flush=True)

    def __call__(self, done: int, total: int) -> None:
        """Show how much of it is done."""
        if self._bar is not None:
            if self._task is None:
                self.stage(self._stage)
            if self._task is not None:
                self._bar.update(self._task, completed=done, total=total)
        elif self.kind == "json":
            share = done / max(total, 1)
            print(json.dumps({"progress": share, "stage": self._stage, "done": done, "total": total}), flush=True)
