"""Work over text files, in place of volumes, for tests of what is around the work; importable by other processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from surgical_style_engine.errors import InputError, MisfitError
from training_cli.cohort.run.work import Done, Task


@dataclass(frozen=True)
class Copy:
    """Copies text files in capitals; what is in them decides how it goes.

    ``said`` has what was done in this process; ``backend`` is what was chosen, the process itself if nothing.
    """

    model_digest: str = "m1"
    options: dict = field(default_factory=dict)
    metrics: tuple = ("length",)
    verb: str = "copied"
    said: list = field(default_factory=list)
    backend: str = ""

    def settled(self, choice):
        return replace(self, backend=choice.get("backend", self.backend))

    def prepare(self, shown=None):
        self.said.append("prepared")
        return self

    def choice(self):
        return {"backend": f"process {os.getpid()}"}

    def ahead(self, task):
        return ()

    def run(self, task, title, files):
        self.said.append(task.volume)
        text = task.inputs[0].read_text()
        if text.startswith("bad"):
            raise InputError("It is bad.")
        if text.startswith("odd"):
            raise MisfitError("It is odd.")
        if text.startswith("bug"):
            raise ValueError("nobody\nthought of it")
        task.outputs[0].parent.mkdir(parents=True, exist_ok=True)
        files.later(partial(task.outputs[0].write_text, text.upper()))
        entry = {"warnings": ["It is a copy."], "quality": {}, "backend": self.backend, "precision": "text"}
        return Done(entry, b"png", {"length": float(len(text))})


@dataclass(frozen=True)
class Slow(Copy):
    """Takes a moment for each."""

    seconds: float = 0.05

    def run(self, task, title, files):
        time.sleep(self.seconds)
        return super().run(task, title, files)


@dataclass(frozen=True)
class Deadly(Slow):
    """The first process that comes to a text "kill" is killed in the middle of writing; ``flags``: a folder."""

    flags: str = ""

    def run(self, task, title, files):
        if task.inputs[0].read_text() == "kill" and _is_first(Path(self.flags) / "killed"):
            half = task.outputs[0].with_name(".0123456789ab.partial")
            half.mkdir(parents=True)
            (half / "half.txt").write_text("KI")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(task, title, files)


@dataclass(frozen=True)
class Beside(Copy):
    """Computes a text only when another one has been read, and writes it only when another one is computed."""

    flags: str = ""
    count: int = 12

    def ahead(self, task):
        self._flag("read", task)
        return ()

    def run(self, task, title, files):
        self._flag("run", task)
        turn = self._flags("run")
        self._wait("read", min(turn + 1, self.count))
        files.later(partial(self._wait, "run", min(turn + 1, self.count)))
        return super().run(task, title, files)

    def _flag(self, what, task):
        (Path(self.flags) / f"{what}-{task.volume}").touch()

    def _flags(self, what):
        return len(list(Path(self.flags).glob(f"{what}-*")))

    def _wait(self, what, count):
        until = time.monotonic() + 10
        while self._flags(what) < count:
            if time.monotonic() > until:
                raise InputError(f"Fewer than {count} texts are {what}.")
            time.sleep(0.005)


@dataclass(frozen=True)
class Modelless(Slow):
    """The ``lacking`` processes that come first have no model; ``flags``: a folder."""

    flags: str = ""
    lacking: int = 1

    def prepare(self, shown=None):
        own = Path(self.flags) / f"without-{os.getpid()}"
        if own.exists() or any(_is_first(Path(self.flags) / f"lacking-{n}") for n in range(self.lacking)):
            own.touch()
            raise InputError("There is no model 'm1'; there are: none.")
        return self


def _is_first(flag: Path) -> bool:
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def text_tasks(folder: Path, count: int = 0) -> list[Task]:
    """A task for every text file of the folder "in", first made if ``count`` says how many, into the folder "out"."""
    for number in range(count):
        (folder / "in").mkdir(exist_ok=True)
        (folder / "in" / f"{number:02}.txt").write_text(f"text {number}")
    tasks = []
    for path in sorted((folder / "in").rglob("*.txt")):
        place = path.relative_to(folder / "in")
        tasks.append(Task(place.as_posix(), (path,), (folder / "out" / place,)))
    return tasks
