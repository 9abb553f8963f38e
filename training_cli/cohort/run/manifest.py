"""The manifest of a cohort: a CSV file with a row a volume, true at any moment.

It is written whole, with a row for every volume, before anything is done; then every volume that is finished appends
its row anew, in one write that is on the disk before the next volume begins. The last row of a volume counts. A run
that was killed leaves at most a last line that has no end, which is not read. Whoever opens it next writes it whole
again, by a temporary name.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.common.clean_text import clean
from surgical_style_engine.errors import InputError, StyleTransferError

NAME = "manifest.csv"
WAITING, DONE, FAILED, MISFIT = "waiting", "done", "failed", "misfit"
STATES = (WAITING, DONE, FAILED, MISFIT)
BETWEEN = " | "  # warnings, and outputs
_FIRST = ("volume", "state", "seconds", "verdict", "reason", "warnings", "outputs", "bytes")
_LAST = ("device", "backend", "precision", "input_stamp", "input_sha256", "model_sha256", "options_sha256", "version")
_END = ("worker", "finished")


@dataclass(frozen=True)
class Row:
    """What the manifest says of one volume; texts, empty where nothing is known.

    Attributes:
        volume: Its path below the cohort's folder, with slashes.
        state: One of STATES.
        seconds: For reading, computing and writing.
        verdict: green, amber, red or none.
        reason: The verdict's sentence; of what was not done, why.
        warnings: Sentences, with BETWEEN between them.
        outputs: What was written, relative to the manifest's folder where it lies below it, with BETWEEN between.
        bytes: Their sizes, with BETWEEN between; of a folder that of its files.
        device: What was computed on; with backend and precision.
        backend: What computed.
        precision: What was computed in.
        input_stamp: Of names, sizes and times of the inputs.
        input_sha256: Of what the inputs hold.
        model_sha256: Of the model.
        options_sha256: Of the options.
        version: Of the program.
        worker: Who did it; empty for this process.
        finished: When, UTC, in ISO 8601.
        metrics: Numbers by name, as texts.
    """

    volume: str
    state: str = WAITING
    seconds: str = ""
    verdict: str = ""
    reason: str = ""
    warnings: str = ""
    outputs: str = ""
    bytes: str = ""
    device: str = ""
    backend: str = ""
    precision: str = ""
    input_stamp: str = ""
    input_sha256: str = ""
    model_sha256: str = ""
    options_sha256: str = ""
    version: str = ""
    worker: str = ""
    finished: str = ""
    metrics: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str) -> float | None:
        """A metric's value, or that of ``seconds``; None where there is none."""
        text = self.seconds if name == "seconds" else self.metrics.get(name, "")
        try:
            return float(text) if text else None
        except ValueError:
            return None


_TEXTS = tuple(each.name for each in fields(Row) if each.name != "metrics")


def plain_name(volume: str) -> str:
    """A volume's name as the manifest holds it: in one line, and writable."""
    return clean(volume, "header")


class Manifest:
    """The rows of a cohort, and the file that holds them.

    Attributes:
        path: The file.
        rows: The rows by volume.
        metrics: Names of the columns of metrics.
    """

    def __init__(self, folder: Path) -> None:
        """Read the manifest of a folder; there need not be one.

        Args:
            folder: Where the cohort's results are.

        Raises:
            InputError: For a file of that name that is none.
        """
        self.path = folder / NAME
        self.metrics: tuple[str, ...] = ()
        self.rows: dict[str, Row] = {}
        if self.path.exists():
            self.metrics, rows = read_manifest(self.path)
            self.rows = {row.volume: row for row in rows}

    def begin(self, rows: Iterable[Row], metrics: Iterable[str]) -> None:
        """Take in rows, such as of volumes that are to be done, and write all rows anew.

        Args:
            rows: They replace rows of the same volumes; the others stay.
            metrics: Columns that are needed; those that were there before stay.

        Raises:
            StyleTransferError: Where it cannot be written.
        """
        self.metrics = tuple(dict.fromkeys([*metrics, *self.metrics]))
        self.rows.update({row.volume: row for row in rows})
        self.write()

    def record(self, row: Row) -> None:
        """Append a row; it is on the disk when this returns.

        Raises:
            StyleTransferError: Where it cannot be written.
        """
        self.rows[row.volume] = row
        line = _lines([self._cells(row)]).encode(errors="replace")
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                if os.write(handle, line) < len(line):
                    raise OSError(None, "the disk is full", str(self.path))
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise self._unwritable(error) from None

    def write(self) -> None:
        """Write all rows anew, by a temporary name. Raises StyleTransferError."""
        try:
            with replacing(self.path, sync=True) as temporary:
                text = _lines([self._header(), *map(self._cells, self.rows.values())])
                temporary.write_bytes(text.encode(errors="replace"))
        except OSError as error:
            raise self._unwritable(error) from None

    def _header(self) -> list[str]:
        return [*_FIRST, *self.metrics, *_LAST, *_END]

    def _cells(self, row: Row) -> list[str]:
        values = {**{name: row.metrics.get(name, "") for name in self.metrics}}
        values |= {name: getattr(row, name) for name in _TEXTS}
        return [clean(values[name], "header") for name in self._header()]

    def _unwritable(self, error: OSError) -> StyleTransferError:
        return StyleTransferError(f"Cannot write the manifest {self.path}: {error.strerror or error}.")


def read_manifest(path: Path) -> tuple[tuple[str, ...], list[Row]]:
    """The names of the metrics and the rows of a manifest, a row a volume.

    Args:
        path: Its file.

    Raises:
        InputError: For a file that is no manifest, or cannot be read.
    """
    try:
        text = path.read_bytes().decode(errors="replace")
    except OSError as error:
        raise InputError(f"The manifest {path} cannot be read: {error.strerror or error}.") from None
    lines = csv.reader(io.StringIO(text[: text.rfind("\n") + 1]))
    header = next(lines, [])
    if header[: len(_FIRST)] != list(_FIRST):
        raise InputError(f"{path} is not a manifest of this program; give the results another folder.")
    metrics = tuple(name for name in header if name not in _TEXTS)
    rows: dict[str, Row] = {}
    for cells in lines:
        values = dict(zip(header, cells, strict=False))
        if len(cells) == len(header) and values["state"] in STATES:
            rows[values["volume"]] = _row(values, metrics)
    return metrics, list(rows.values())


def is_manifest(path: Path) -> bool:
    """Whether a file begins as a manifest does."""
    try:
        with path.open("rb") as stream:
            return stream.read(200).startswith(",".join(_FIRST).encode())
    except OSError:
        return False


def unfinished(row: Row) -> Row:
    """A row's volume before it is done again: nothing holds any more but where its outputs are."""
    return Row(row.volume, outputs=row.outputs)


def renewed(row: Row, stamp: str) -> Row:
    """The row with another stamp of the same content."""
    return replace(row, input_stamp=stamp)


def _row(values: Mapping[str, str], metrics: Iterable[str]) -> Row:
    texts = {name: values.get(name, "") for name in _TEXTS}
    return Row(**texts, metrics={name: values[name] for name in metrics if values.get(name)})


def _lines(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
