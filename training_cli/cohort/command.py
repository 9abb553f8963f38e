"""What all commands do alike with a cohort: choose who works, tell what comes, and make the summary page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from surgical_style_engine.app.report import new_report, write_report
from surgical_style_engine.app.report_entries import named_warnings, shared_entry, shared_quality
from surgical_style_engine.errors import InputError
from training_cli.main import fail
from training_cli.progress import Progress
from training_cli.terminal import echo

from .checks import told_warnings
from .run.cohort_run import CohortResult, Places, run_cohort
from .run.here import here
from .run.manifest import DONE, Row
from .run.work import Done, Finished, Spread, Task, Work
from .summary.page import PAGE, write_page


@dataclass(frozen=True)
class Spreading:
    """Where a cohort's results go, and who works on it.

    Attributes:
        output: Folder of the results.
        overwrite: Whether everything is done anew.
        workers: Processes to start on this machine; None to work in this one, or where the scheduler says.
        scheduler: Address of a Dask scheduler, or the file with it.
        memory: Most memory of a process that is started here.
    """

    output: Path
    overwrite: bool = False
    workers: int | None = None
    scheduler: str | None = None
    memory: str | None = None

    def __post_init__(self) -> None:
        """Raise InputError for options that do not go together."""
        if self.workers is not None and self.scheduler is not None:
            raise InputError("--workers starts processes here, --scheduler uses those of another; give one of the two.")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers is at least 1, not {self.workers}.")
        if self.memory is not None and self.workers is None:
            raise InputError("--worker-memory belongs to --workers.")

    def spread(self, shown: Progress) -> Spread:
        """Who works on the cohort. Raises InputError where Dask is needed and not installed."""
        if self.workers is None and self.scheduler is None:
            return here(shown)
        if find_spec("distributed") is None:
            raise InputError(
                "More than one process needs Dask distributed: pip install 'surgical-style-transfer[cluster]'."
            )
        from .cluster.connect import ClusterOptions  # noqa: PLC0415 - Dask is loaded with it
        from .cluster.spread import on_cluster  # noqa: PLC0415

        return on_cluster(ClusterOptions(self.workers, self.scheduler, self.memory), shown)


def do_cohort(
    work: Work,
    tasks: Sequence[Task],
    spreading: Spreading,
    shown: Progress,
    title: str,
    tell: Callable[[dict[str, Any]], None],
    problems: Sequence[tuple[Path, str]] = (),
) -> CohortResult:
    """Do what of a cohort is missing, changed or failed, and tell how it goes.

    Args:
        work: What is done with each volume.
        tasks: The volumes.
        spreading: Where the results go, and who works.
        shown: Where progress is shown.
        title: Of the summary page.
        tell: Prints what came of a volume, by its entry of a report.
        problems: Folders that could not be looked into, and why.

    Raises:
        StyleTransferError: Where nothing can be done, or written.
    """

    def told(finished: Finished, row: Row) -> None:
        if not isinstance(finished.outcome, Done):
            _tell_failure(finished.task.volume, row.reason)
            return
        tell(finished.outcome.entry)
        told_warnings(f"{finished.task.volume}: {sentence}" for sentence in finished.outcome.entry["warnings"])

    result = run_cohort(work, tasks, Places(spreading.output, spreading.overwrite), spreading.spread(shown), told)
    for name, reason in result.failed_before():
        _tell_failure(name, reason)
    for folder, reason in problems:
        _tell_failure(folder.name, reason)
    write_page(spreading.output, title)
    if shown.kind != "json":
        done = result.of_state(DONE)
        before = sum(row.volume not in result.attempted for row in done)
        already = f", {before} of them before" if before else ""
        echo(f"{spreading.output / PAGE}: {len(done)} of {len(tasks)} volumes {work.verb}{already}")
    return result


def unless_json(shown: Progress, sentence: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], None]:
    """Prints a sentence on what came of a volume, where no program reads the output."""
    return lambda entry: None if shown.kind == "json" else echo(sentence(entry))


def write_cohort_report(report: Path, result: CohortResult, seconds: float, **more: Any) -> None:
    """Write the report of a cohort, with an entry for every volume that is done, in this run or an earlier one.

    Args:
        report: Its file.
        result: Of the run.
        seconds: That the run took.
        **more: Further keys, as for ``app.report.new_report``.

    Raises:
        StyleTransferError: Where it cannot be written.
    """
    entries = result.entries()
    if failures := result.failures():
        more["failed"] = [{"input": path, "reason": reason} for path, reason in failures]
    write_report(
        report,
        new_report(
            **shared_entry(entries),
            **{"quality": shared_quality(entries), "output": result.places.folder, **more},
            warnings=named_warnings([(Path(entry["input"]), entry["warnings"]) for entry in entries]),
            inputs=[task.inputs[0] for task in result.tasks],
            seconds=seconds,
            synthetic=True,
            volumes=entries,
        ),
    )


def fail_if_any(work: Work, result: CohortResult, problems: Sequence[tuple[Path, str]] = ()) -> None:
    """End with exit code 1 where something of a cohort could not be done."""
    if failed := len(result.failures()) + len(problems):
        fail(f"{failed} of {len(result.tasks) + len(problems)} volumes could not be {work.verb}.", 1)


def _tell_failure(name: str, reason: str) -> None:
    echo(f"sst: {name}: {reason}", err=True)
