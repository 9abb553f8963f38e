"""A run over a cohort: only what is missing, changed or failed is done, and the manifest has it at once."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from surgical_style_engine.common.atomic_write import remove_leftovers, replacing
from surgical_style_engine.common.version import __version__
from surgical_style_engine.errors import InputError, StyleTransferError

from .digests import content_of, options_of, stamp_of
from .lock import only_run
from .manifest import BETWEEN, DONE, FAILED, MISFIT, Manifest, Row, plain_name, renewed, unfinished
from .work import Doing, Done, Finished, Spread, Task, Work

DETAILS = "summary"  # folder beside the manifest: an entry of a report and a picture of every volume
Told = Callable[[Finished, Row], None]


@dataclass(frozen=True)
class Places:
    """Where a cohort's results are.

    Attributes:
        folder: Of the manifest, and of what is kept for the summary page.
        overwrite: Whether everything is done anew, and files that are not of an earlier run are replaced.
    """

    folder: Path
    overwrite: bool = False

    def entry(self, volume: str) -> Path:
        """Where what a report says of a volume is kept."""
        return self.folder / DETAILS / f"{volume}.json"

    def extra(self, volume: str, ending: str) -> Path:
        """Where a further file about a volume is kept."""
        return self.folder / DETAILS / f"{volume}{ending}"

    def picture(self, volume: str) -> Path:
        """Where the small picture of a volume is kept."""
        return self.folder / DETAILS / f"{volume}.png"

    def relative(self, path: Path) -> str:
        """A path as the manifest holds it: with slashes, relative to its folder where it lies below that."""
        own, folder = path.absolute(), self.folder.absolute()
        return plain_name(own.relative_to(folder).as_posix() if own.is_relative_to(folder) else own.as_posix())


@dataclass
class CohortResult:
    """What came of a run.

    Attributes:
        places: Where the results are.
        tasks: All that there were.
        rows: Of the manifest, in the order of the tasks.
        attempted: Volumes that were done or failed in this run.
    """

    places: Places
    tasks: list[Task]
    rows: list[Row]
    attempted: set[str] = field(default_factory=set)

    def of_state(self, *states: str) -> list[Row]:
        """The rows of these states."""
        return [row for row in self.rows if row.state in states]

    def entries(self) -> list[dict[str, Any]]:
        """What a report says of every volume that is done, of this run or an earlier one."""
        done = self.of_state(DONE)
        return [json.loads(self.places.entry(row.volume).read_text(encoding="utf-8")) for row in done]

    def failures(self) -> list[tuple[Path, str]]:
        """What was not done, and why."""
        pairs = zip(self.tasks, self.rows, strict=True)
        return [(task.inputs[0], row.reason) for task, row in pairs if row.state in (FAILED, MISFIT)]

    def failed_before(self) -> list[tuple[str, str]]:
        """The names of what was not done in an earlier run and is not tried again, and why."""
        pairs = zip(self.tasks, self.rows, strict=True)
        return [(t.volume, row.reason) for t, row in pairs if row.state == MISFIT and row.volume not in self.attempted]


def run_cohort(work: Work, tasks: Sequence[Task], places: Places, spread: Spread, told: Told) -> CohortResult:
    """Do what of a cohort is missing, changed or failed.

    Args:
        work: What is done with each volume.
        tasks: The volumes, each once.
        places: Where the results are.
        spread: Does the tasks: ``here.here()``, or on a cluster.
        told: Told of every task that is finished, with its row of the manifest.

    Returns:
        What came of it, with what was done before.

    Raises:
        InputError: Where an output exists that is of no earlier run, or another run writes there.
        StyleTransferError: Where nothing can be done, or written.
    """
    is_new = not places.folder.exists()
    try:
        places.folder.mkdir(parents=True, exist_ok=True)
        try:
            with only_run(places.folder):
                return _run(work, tasks, places, spread, told)
        finally:
            if is_new:
                with contextlib.suppress(OSError):  # where something was done, it is not empty
                    places.folder.rmdir()
    except OSError as error:
        place = error.filename or places.folder
        raise StyleTransferError(f"Cannot write {place}: {error.strerror or error}.") from None


def _run(work: Work, tasks: Sequence[Task], places: Places, spread: Spread, told: Told) -> CohortResult:
    manifest = Manifest(places.folder)
    _check_names(tasks)
    _check_foreign(tasks, places, manifest)
    common = {"model_sha256": work.model_digest, "options_sha256": options_of(work.options), "version": __version__}
    kept, due = _sorted_out(tasks, places, manifest, common)
    attempted: set[str] = set()
    if due:
        with contextlib.ExitStack() as stack:
            doing = _begun(work, kept, spread, stack)
            manifest.begin([*kept, *(_planned(task, places, manifest) for task in due)], work.metrics)
            folders = {output.parent for task in due for output in task.outputs}
            remove_leftovers(folders)
            try:
                for finished in doing(due):
                    row = _row(finished, places, common)
                    _keep(finished, places)
                    manifest.record(row)
                    attempted.add(row.volume)
                    told(finished, row)
            finally:
                remove_leftovers(folders)
    manifest.begin(kept, work.metrics)
    rows = [manifest.rows[plain_name(task.volume)] for task in tasks]
    return CohortResult(places, list(tasks), rows, attempted)


def _begun(work: Work, kept: Sequence[Row], spread: Spread, stack: contextlib.ExitStack) -> Doing:
    """Make ready; in the way in which most of what is kept was computed, where this is possible here."""
    ways = Counter((row.backend, row.precision) for row in kept if row.backend and row.precision)
    if ways:
        (backend, precision), _ = ways.most_common(1)[0]
        try:
            return stack.enter_context(spread(work.settled({"backend": backend, "precision": precision})))
        except InputError:
            pass  # what has computed it before is not here
    return stack.enter_context(spread(work))


def _check_names(tasks: Sequence[Task]) -> None:
    """Raise InputError where two volumes, or two outputs, would be one."""
    for what, names in (
        ("inputs", [plain_name(task.volume) for task in tasks]),
        ("outputs", [str(output) for task in tasks for output in task.outputs]),
    ):
        known: set[str] = set()
        for name in names:
            if name in known:
                raise InputError(f"Two {what} of the cohort are called {name}; narrow them down with --pattern.")
            known.add(name)


def _check_foreign(tasks: Sequence[Task], places: Places, manifest: Manifest) -> None:
    """Raise InputError where an output exists that no earlier run has made."""
    if places.overwrite:
        return
    own = {name for row in manifest.rows.values() for name in row.outputs.split(BETWEEN)}
    for task in tasks:
        for output in task.outputs:
            if places.relative(output) not in own and _size(output):
                raise InputError(
                    f"{output} exists already and is not of an earlier run over this cohort; give another folder, or "
                    "--overwrite replaces it."
                )


def _sorted_out(
    tasks: Sequence[Task], places: Places, manifest: Manifest, common: dict[str, str]
) -> tuple[list[Row], list[Task]]:
    """The rows of what need not be done again, and the tasks that are due."""
    kept: list[Row] = []
    due: list[Task] = []
    for task in tasks:
        row = manifest.rows.get(plain_name(task.volume))
        same = None if row is None or places.overwrite else _unchanged(task, row, places, common)
        if same is None:
            due.append(task)
        else:
            kept.append(same)
    return kept, due


def _unchanged(task: Task, row: Row, places: Places, common: dict[str, str]) -> Row | None:
    """The row where it still holds; None where the task has to be done again."""
    if row.state not in (DONE, MISFIT) or any(getattr(row, name) != value for name, value in common.items()):
        return None
    if row.state == DONE:
        if row.outputs != _outputs(task, places) or row.bytes != _sizes(task):
            return None
        if task.outputs and "" in row.bytes.split(BETWEEN):
            return None
        if not places.entry(row.volume).is_file():
            return None
    try:
        stamp = stamp_of(task.inputs)
        if stamp == row.input_stamp:
            return row
        return renewed(row, stamp) if content_of(task.inputs) == row.input_sha256 else None
    except OSError:
        return None


def _planned(task: Task, places: Places, manifest: Manifest) -> Row:
    """The row of a task before it is done: its outputs are this run's from now on."""
    name = plain_name(task.volume)
    before = manifest.rows.get(name)
    outputs = _outputs(task, places)
    if before is not None and before.outputs and before.outputs != outputs:
        outputs = BETWEEN.join(dict.fromkeys([*outputs.split(BETWEEN), *before.outputs.split(BETWEEN)]))
    return unfinished(Row(name, outputs=outputs))


def _row(finished: Finished, places: Places, common: dict[str, str]) -> Row:
    task, outcome = finished.task, finished.outcome
    shared: dict[str, Any] = {
        **common,
        "seconds": f"{finished.seconds:.3f}",
        "outputs": _outputs(task, places),
        "input_stamp": finished.stamp,
        "input_sha256": finished.digest,
        "worker": finished.worker,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    if not isinstance(outcome, Done):
        state = MISFIT if outcome.is_misfit else FAILED
        return Row(plain_name(task.volume), state, reason=outcome.sentence, **shared)
    entry = outcome.entry
    verdict = (entry.get("quality") or {}).get("verdict") or {}
    return Row(
        plain_name(task.volume),
        DONE,
        verdict=str(verdict.get("level") or ""),
        reason=str(verdict.get("sentence") or ""),
        warnings=BETWEEN.join(entry.get("warnings") or []),
        bytes=_sizes(task),
        **{key: str(entry.get(key) or "") for key in ("device", "backend", "precision")},
        **shared,
        metrics={name: f"{value:.6g}" for name, value in outcome.quality.items() if value is not None},
    )


def _keep(finished: Finished, places: Places) -> None:
    """Keep what the summary page and a later report need of a volume."""
    outcome, volume = finished.outcome, plain_name(finished.task.volume)
    if not isinstance(outcome, Done):
        return
    with replacing(places.entry(volume)) as temporary:
        temporary.write_text(json.dumps(outcome.entry, ensure_ascii=False) + "\n", encoding="utf-8", errors="replace")
    if outcome.picture:
        with replacing(places.picture(volume)) as temporary:
            temporary.write_bytes(outcome.picture)
    for ending, content in outcome.extra.items():
        with replacing(places.extra(volume, ending)) as temporary:
            temporary.write_bytes(content)


def _outputs(task: Task, places: Places) -> str:
    return BETWEEN.join(map(places.relative, task.outputs))


def _sizes(task: Task) -> str:
    return BETWEEN.join(map(_size, task.outputs))


def _size(path: Path) -> str:
    """Bytes of a file, or of the files of a folder; empty where there is nothing."""
    try:
        if not path.is_dir():
            return str(path.stat().st_size)
        sizes = [file.stat().st_size for file in path.iterdir()]
    except OSError:
        return ""
    return str(sum(sizes)) if sizes else ""
