"""`sst harmonise`: bring a volume or a cohort into the look of a reference."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from surgical_style_engine.errors import InputError
from training_cli.commands.options import (
    Overwrite,
    Pattern,
    ProgressKind,
    Report,
    Scheduler,
    Sessions,
    Subjects,
    Suffix,
    WorkerMemory,
    Workers,
)
from training_cli.terminal import echo

if TYPE_CHECKING:
    from surgical_style_engine.harmonise.look import Look
    from training_cli.cohort.bids.dataset import Selection
    from training_cli.cohort.command import Spreading
    from training_cli.progress import Progress

Input = Annotated[Path, typer.Argument(metavar="INPUT", help="MR volume of the head, DICOM folder, or folder of them")]
Output = Annotated[Path, typer.Argument(help="file to write; for a cohort, a folder")]
Like = Annotated[
    str,
    typer.Option(
        "--like",
        help="the reference: a folder of volumes, one volume, a saved look (.look.json), or a model's name or folder",
    ),
]
SaveLook = Annotated[
    Optional[Path], typer.Option("--save-look", help="keep the look of the reference as a .look.json, to use again")
]


def harmonise(  # noqa: PLR0913 - a Typer command: one parameter an option
    source: Input,
    output: Output,
    like: Like,
    save_look: SaveLook = None,
    pattern: Pattern = "*",
    suffix: Suffix = None,
    subject: Subjects = None,
    session: Sessions = None,
    report: Report = None,
    overwrite: Overwrite = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    worker_memory: WorkerMemory = None,
    progress: ProgressKind = "auto",
) -> None:
    """Bring INPUT into the look of a reference: T1w, T2w or FLAIR of the head, with or without skull, any scanner.

    Without a model nothing is trained: the bias field is removed, and grey values follow one increasing curve that
    takes the tissues to the reference's. So nothing appears or vanishes. A cohort has a manifest: a second call does
    only what is missing, changed or failed.
    """
    from surgical_style_engine.harmonise.look import ENDING
    from training_cli.cohort import checks
    from training_cli.cohort.bids.dataset import Selection
    from training_cli.cohort.command import Spreading
    from training_cli.progress import Progress

    spreading = Spreading(output, overwrite, workers, scheduler, worker_memory)
    checks.check_exist(source)
    checks.check_folders_of(report, save_look)
    if save_look is not None and not save_look.name.endswith(ENDING):
        raise InputError(f"A look is saved in a file that ends in {ENDING}, not in '{save_look.name}'.")
    if _is_model(like):
        if save_look is not None:
            raise InputError("A model's look is in its weights and is not saved; leave --save-look out.")
        from training_cli.commands.translate import translate

        translate(
            [source],
            output,
            model=like,
            pattern=pattern,
            suffix=suffix,
            subject=subject,
            session=session,
            report=report,
            overwrite=overwrite,
            workers=workers,
            scheduler=scheduler,
            worker_memory=worker_memory,
            progress=progress,
        )
        return
    shown = Progress(progress)
    with shown:
        look = _look(Path(like), shown)
        if save_look is not None:
            look.save(save_look)
        _run((source, pattern, Selection(suffix, subject, session)), look, report, spreading, shown)


def _is_model(like: str) -> bool:
    """Whether a reference names a model: its folder, or a name where there is no such file."""
    path = Path(like)
    return (path / "model.json").is_file() or not path.exists()


def _look(path: Path, shown: Progress) -> Look:
    """The saved look, or that of the reference's volumes."""
    from surgical_style_engine.app.harmonise_case import look_like
    from surgical_style_engine.harmonise.look import ENDING
    from training_cli.cohort.checks import told

    if not path.name.endswith(ENDING):
        shown.stage("measuring the reference")
    return look_like(path, lambda sentence: told([sentence]))


def _run(
    what: tuple[Path, str, Selection], look: Look, report: Path | None, spreading: Spreading, shown: Progress
) -> None:
    """Harmonise what is asked for; what: the source, the pattern of its volumes' names, and which of a data set."""
    from training_cli.cohort import checks
    from training_cli.cohort.bids.choice import chosen
    from training_cli.cohort.bids.derivatives import write_about
    from training_cli.cohort.command import do_cohort, fail_if_any, unless_json, write_cohort_report
    from training_cli.cohort.paths import check_outputs
    from training_cli.cohort.plan import plan
    from training_cli.commands.works.translate import translate_tasks
    from training_cli.harmonise.work import HarmoniseWork

    begun = time.perf_counter()
    source, pattern, selection = what
    bids = chosen(source, selection, look.kind, "as the look is")
    planned = plan(source, spreading.output, pattern, None) if bids is None else bids.plan("", spreading.output, None)
    check_outputs([job.source for job in planned.jobs], [job.output for job in planned.jobs], report)
    checks.told(planned.paired)
    if planned.single:
        _run_one(source, spreading.output, look, report, shown)
        return
    work = HarmoniseWork(look)
    result = do_cohort(
        work,
        translate_tasks(planned.jobs),
        spreading,
        shown,
        f"In the look of {look.name}",
        unless_json(shown, lambda entry: _line(entry["output"], look, entry["seconds"])),
        planned.problems,
    )
    if bids is not None:
        how = f"Brings {look.kind} into the look {look.name} by one increasing tone curve an image; no network."
        write_about(bids.dataset, f"{look.kind} in the look {look.name}", how, spreading.output)
    if report is not None:
        write_cohort_report(report, result, time.perf_counter() - begun, model=look.entry(), look=look.entry())
    fail_if_any(work, result, planned.problems)


def _run_one(source: Path, output: Path, look: Look, report: Path | None, shown: Progress) -> None:
    from surgical_style_engine.app.harmonise_case import harmonise_case
    from surgical_style_engine.app.report import new_report, write_report
    from training_cli.cohort.checks import told_warnings
    from training_cli.harmonise.work import entry_of

    shown.stage(f"harmonising {source.name}")
    case = harmonise_case(source, look, output)
    if report is not None:
        entry = entry_of(case, look, source, output)
        write_report(
            report, new_report(inputs=source, synthetic=True, **{k: v for k, v in entry.items() if k != "input"})
        )
    if shown.kind != "json":
        echo(_line(output, look, case.seconds))
    told_warnings(case.warnings)


def _line(output: object, look: Look, seconds: float) -> str:
    return f"{output}: {look.kind} in the look of {look.name} (synthetic) in {seconds:.1f} s"
