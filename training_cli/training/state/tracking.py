"""The curves of a run as a CSV file; TensorBoard's come through Accelerate."""

from __future__ import annotations

import contextlib
import csv
import threading
from collections.abc import Iterator
from pathlib import Path

from surgical_style_engine.common.atomic_write import replacing


class CsvCurve:
    """``losses.csv``: step, seconds, learning_rate, then one column a loss (empty where a term did not run).

    seconds: of the whole step, of which ``waiting`` for data. On resume, rows after the checkpoint's step are dropped,
    so the file never tells a step twice. Raises OSError where it cannot be written; earlier rows stay.
    """

    COLUMNS = (
        "step",
        "seconds",
        "waiting",
        "learning_rate",
        "generators",
        "discriminators",
        "adversarial",
        "cycle",
        "identity",
        "spatial",
        "pairs",
        "nce",
    )

    def __init__(self, path: Path, resume_step: int = 0) -> None:
        rows = kept_rows(path, resume_step) if resume_step and path.exists() else []
        with replacing(path) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, self.COLUMNS)
            writer.writeheader()
            writer.writerows({key: row.get(key, "") for key in self.COLUMNS} for row in rows)
        self._stream = path.open("a", newline="")
        self._writer = csv.DictWriter(self._stream, self.COLUMNS, extrasaction="ignore")

    def write(self, row: dict[str, float]) -> None:
        # repr keeps every digit, so that two runs can be compared exactly.
        self._writer.writerow({key: repr(value) if isinstance(value, float) else value for key, value in row.items()})
        self._stream.flush()

    def close(self) -> None:
        self._stream.close()


def kept_rows(path: Path, last_step: int) -> list[dict[str, str]]:
    """The rows up to ``last_step``, without one that a crash cut short."""
    rows: list[dict[str, str]] = []
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            whole = None not in row.values() and (row.get("step") or "").isdigit()
            if whole and (int(rows[-1]["step"]) if rows else 0) < int(row["step"]) <= last_step:
                rows.append(row)
    return rows


@contextlib.contextmanager
def told_once() -> Iterator[None]:
    """TensorBoard's writing thread prints a traceback when the disk is full, and the same error is raised where the
    next figure is logged; within this block only the latter happens."""
    before = threading.excepthook

    def hook(failure: threading.ExceptHookArgs) -> None:
        if type(failure.thread).__name__ != "_AsyncWriterThread":
            before(failure)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before
