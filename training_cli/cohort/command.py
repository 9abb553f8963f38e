"""What all commands do alike with a cohort: choose who works, tell what comes, and make the summary page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training_cli.progress import Progress
from training_cli.terminal import echo

from .checks import told_warnings
from .run.cohort_run import CohortResult, Places, run_cohort
from .run.here import here
from .run.manifest import DONE, Row
from .run.work import Done, Finished, Task, Work
from .summary.page import PAGE, write_page


@dataclass(frozen=True)
class Spreading:
    """Where a cohort's results go, and who works on it.

    Attributes:
        output: Folder of the results.
        overwrite: Whether everything is done anew.
    """

    output: Path
    overwrite: bool = False


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
        tell: Prints what came of a volume, by its entry of a report; not called where programs read the output.
        problems: Folders that could not be looked into, and why.

    Raises:
        StyleTransferError: Where nothing can be done, or written.
    """
    quiet = shown.kind == "json"

    def told(finished: Finished, row: Row) -> None:
        if not isinstance(finished.outcome, Done):
            _tell_failure(finished.task.name, row.reason)
            return
        if not quiet:
            tell(finished.outcome.entry)
        told_warnings(f"{finished.task.name}: {sentence}" for sentence in finished.outcome.entry["warnings"])

    result = run_cohort(work, tasks, Places(spreading.output, spreading.overwrite), here(shown), told)
    for name, reason in result.failed_before():
        _tell_failure(name, reason)
    for folder, reason in problems:
        _tell_failure(folder.name, reason)
    write_page(spreading.output, title)
    if not quiet:
        done, before = len(result.of_state(DONE)), len(tasks) - len(result.attempted)
        already = f", {before} of them before" if before else ""
        echo(f"{spreading.output / PAGE}: {done} of {len(tasks)} volumes {work.verb}{already}")
    return result


def _tell_failure(name: str, reason: str) -> None:
    echo(f"sst: {name}: {reason}", err=True)
