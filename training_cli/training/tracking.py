"""Curves of a run: a CSV file, and TensorBoard through Accelerate."""

from __future__ import annotations

import csv
from pathlib import Path


class CsvCurve:
    """``losses.csv``: step, seconds, learning_rate, then one column a loss (empty where a term did not run).

    On resume, rows after the checkpoint's step are dropped, so the file never tells a step twice.
    """

    COLUMNS = (
        "step", "seconds", "waiting", "learning_rate", "generators", "discriminators", "adversarial", "cycle",
        "identity", "spatial", "pairs",
    )  # fmt: skip

    def __init__(self, path: Path, resume_step: int = 0) -> None:
        kept: list[dict] = []
        if resume_step and path.exists():
            with path.open(newline="") as stream:
                kept = [row for row in csv.DictReader(stream) if int(row["step"]) <= resume_step]
        self._stream = path.open("w", newline="")
        self._writer = csv.DictWriter(self._stream, self.COLUMNS, extrasaction="ignore")
        self._writer.writeheader()
        self._writer.writerows({key: row.get(key, "") for key in self.COLUMNS} for row in kept)
        self._stream.flush()

    def write(self, row: dict[str, float]) -> None:
        # repr keeps every digit, so that two runs can be compared exactly.
        self._writer.writerow({key: repr(value) if isinstance(value, float) else value for key, value in row.items()})
        self._stream.flush()

    def close(self) -> None:
        self._stream.close()
