"""The curves of a run as a CSV file; TensorBoard's come through Accelerate."""

from __future__ import annotations

import contextlib
import csv
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from surgical_style_engine.common.atomic_write import replacing

ALWAYS = ("step", "seconds", "waiting", "learning_rate")


class CsvCurve:
    """``losses.csv``: step, seconds, waiting, learning_rate, then one column a loss (empty where a term did not run).

    seconds: of the whole step, of which ``waiting`` for data. On resume, rows after the checkpoint's step are dropped,
    so the file never tells a step twice, and columns that only the earlier part has stay.

    Args:
        path: of the file.
        losses: names of all losses that there may be.
        resume_step: step of the checkpoint that the training goes on from, 0 for a start.

    Raises:
        OSError: where it cannot be written; earlier rows stay.
    """

    def __init__(self, path: Path, losses: Sequence[str], resume_step: int = 0) -> None:
        columns, rows = list(ALWAYS), list[dict[str, str]]()
        if resume_step and path.exists():
            header, rows = kept_rows(path, resume_step)
            columns = list(header) or columns
        columns += [name for name in (*ALWAYS, *losses) if name not in columns]
        with replacing(path) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(rows)
        self._stream = path.open("a", newline="")
        self._writer = csv.DictWriter(self._stream, columns)

    def write(self, row: Mapping[str, float]) -> None:
        """Append a step. Raises ValueError for a name that is no column, OSError where it cannot be written."""
        # repr keeps every digit, so that two runs can be compared exactly.
        self._writer.writerow({key: repr(value) if isinstance(value, float) else value for key, value in row.items()})
        self._stream.flush()

    def close(self) -> None:
        """End the file."""
        self._stream.close()


def kept_rows(path: Path, last_step: int) -> tuple[list[str], list[dict[str, str]]]:
    """The header of a file, and its rows up to ``last_step``, without one that a crash cut short."""
    rows: list[dict[str, str]] = []
    with path.open(newline="") as stream:
        reader = csv.DictReader(stream)
        for row in reader:
            whole = None not in row and None not in row.values() and (row.get("step") or "").isdigit()
            if whole and (int(rows[-1]["step"]) if rows else 0) < int(row["step"]) <= last_step:
                rows.append(row)
        return list(reader.fieldnames or []), rows


@contextlib.contextmanager
def told_once() -> Iterator[None]:
    """Within this block a full disk is told once.

    TensorBoard's writing thread prints a traceback then, and the same error is raised where the next value is logged;
    only the latter happens here.
    """
    before = threading.excepthook

    def hook(failure: threading.ExceptHookArgs) -> None:
        if type(failure.thread).__name__ != "_AsyncWriterThread":
            before(failure)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before
