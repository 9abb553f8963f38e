"""`sst evaluate`: the quality metrics of a model on volumes it has not seen."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from surgical_style_engine.errors import InputError

from .options import (
    Backend,
    Device,
    Direction,
    Overwrite,
    Precision,
    ProgressKind,
    Scheduler,
    Sessions,
    Subjects,
    Suffix,
    WorkerMemory,
    Workers,
)

if TYPE_CHECKING:
    from surgical_style_engine.models.folder import StyleModel
    from training_cli.cohort.command import Spreading
    from training_cli.commands.works.evaluate import EvaluatePlan, EvaluateWork

Model = Annotated[str, typer.Option("--model", help="model folder or name")]
Source = Annotated[Path, typer.Option("--source", help="volume, or folder of volumes, to translate")]
Report = Annotated[Path, typer.Option("--report", help="JSON report to write")]
ReferenceFolder = Annotated[
    Optional[Path],
    typer.Option("--reference", help="volume or folder of real target volumes, matched to the source by name"),
]
Masks = Annotated[
    Optional[Path], typer.Option("--masks", help="mask or folder of masks; without it the body mask is found")
]
Lesions = Annotated[
    Optional[Path],
    typer.Option("--lesions", help="labelmap of lesions, or folder of them: accounts for each beside the reference"),
]
PatternSource = Annotated[str, typer.Option("--pattern-source", help="files of --source, e.g. '*_T1W*'")]
PatternReference = Annotated[str, typer.Option("--pattern-reference", help="files of --reference")]
PatternMasks = Annotated[str, typer.Option("--pattern-masks", help="files of --masks")]
Register = Annotated[
    bool, typer.Option("--register/--no-register", help="align references rigidly unless they share the grid")
]
Cycle = Annotated[bool, typer.Option("--cycle/--no-cycle", help="cycle figures (six more translations a volume)")]
Lpips = Annotated[
    bool, typer.Option("--lpips", help="LPIPS against references, too (VGG-16, see sst models features; slow on a CPU)")
]
WriteCard = Annotated[
    str, typer.Option("--write-card", help="also store the mean figures in the model's card, under this label")
]
MapFolder = Annotated[
    Optional[Path],
    typer.Option("--maps", help="folder for what `sst report` shows: translations, cycle errors, references"),
]


def evaluate(  # noqa: PLR0913 - a Typer command: one parameter an option
    model: Model,
    source: Source,
    report: Report,
    reference: ReferenceFolder = None,
    masks: Masks = None,
    lesions: Lesions = None,
    direction: Direction = "forward",
    pattern_source: PatternSource = "*",
    pattern_reference: PatternReference = "*",
    pattern_masks: PatternMasks = "*",
    suffix: Suffix = None,
    subject: Subjects = None,
    session: Sessions = None,
    register: Register = True,
    cycle: Cycle = True,
    lpips: Lpips = False,
    device: Device = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    write_card: WriteCard = "",
    maps: MapFolder = None,
    overwrite: Overwrite = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    worker_memory: WorkerMemory = None,
    progress: ProgressKind = "auto",
) -> None:
    """Translate volumes and judge the result: cycle scores, semantic consistency, and what references allow.

    A reference of the same patient (patient04_study1_T1W goes with patient04_study1_T2W) gives MAE, PSNR, SSIM and
    MS-SSIM inside the mask, beside two floors: the input itself, and the input with its histogram matched to the
    reference. One whose registration finds nothing in common with the source is left out, with a warning. A folder of
    references also gives the KID between the translated set and that set, paired or not, with the same floors (the
    histogram then being that of all references). --lesions counts those found, weakened, lost and invented.
    """
    from surgical_style_engine.app.judging import Judging
    from surgical_style_engine.models.folder import load_model
    from training_cli.cohort.bids.dataset import Selection
    from training_cli.cohort.command import Spreading
    from training_cli.cohort.run.digests import model_of
    from training_cli.commands.works.evaluate import EvaluateWork, evaluate_plan

    _check(direction, progress, report, (source, reference, masks, lesions), lpips)
    begun = time.perf_counter()
    style = load_model(model)
    style.check_direction(direction)
    patterns = {"source": pattern_source, "reference": pattern_reference, "mask": pattern_masks}
    folders = {"reference": reference, "mask": masks, "lesion": lesions}
    planned = evaluate_plan(source, folders, patterns, (style.card, direction, Selection(suffix, subject, session)))
    _check_outputs(planned, style, maps, report)
    judging = Judging(cycle=cycle, lpips=lpips)
    run = {"device": device, "precision": precision, "backend": backend}
    where = str(Path(model).absolute()) if Path(model).is_dir() else model
    references = tuple(path.absolute() for path in planned.all_references) if len(planned.all_references) > 1 else ()
    work = EvaluateWork(
        where, model_of(style), direction, register, judging, maps and maps.absolute(), run, references, style=style
    )
    spreading = Spreading(_folder_of(report), overwrite, workers, scheduler, worker_memory)
    _evaluate(work, planned, spreading, (report, write_card, progress), begun)


def _evaluate(
    work: EvaluateWork, planned: EvaluatePlan, spreading: Spreading, told: tuple[Path, str, str], begun: float
) -> None:
    """Judge what is asked for, and report it. told: the report, the label in the card, and how progress is shown."""
    from training_cli.cohort import checks

    checks.told(planned.paired)
    report, label, progress = told
    style = work.loaded()
    entries, failures = _evaluate_all(work, planned, spreading, progress)
    quality = _quality(entries)
    if work.references and entries:
        quality["kid"] = _distances(work, planned, report, entries)
    _write_report(report, work, style, planned, (entries, failures), quality, begun)
    if label:
        from training_cli.model_card import add_metrics

        add_metrics(style.folder, label, quality)
    _tell(style.card.name, quality, entries, "" if progress == "json" else str(report))
    if failures:
        from training_cli.main import fail

        fail(f"{len(failures)} of {len(entries) + len(failures)} volumes could not be evaluated.", 1)


def _check(direction: str, progress: str, report: Path, inputs: tuple[Path | None, ...], lpips: bool) -> None:
    from training_cli.cohort.checks import check_direction, check_exist

    check_direction(direction)
    if progress not in ("auto", "json", "none"):
        raise InputError(f"--progress is auto, json or none, not '{progress}'.")
    if not report.absolute().parent.is_dir():
        raise InputError(f"The folder {report.absolute().parent} of the report does not exist.")
    check_exist(*inputs)
    if lpips:
        _check_lpips()


def _check_lpips() -> None:
    """Say where only the unweighted form can be computed. Raises InputError where there is no network for it."""
    from surgical_style_engine.stylize.lpips import check_distance
    from surgical_style_engine.stylize.published import LPIPS
    from training_cli.cohort.checks import told_warnings

    if check_distance() != LPIPS:
        told_warnings(
            [
                "LPIPS's weights belong to torchvision's VGG-16, which is not on this machine (sst models features "
                "lpips and sst models features vgg16-torchvision): its unweighted form is computed, the VGG distance."
            ]
        )


def _check_outputs(planned: EvaluatePlan, style: StyleModel, maps: Path | None, report: Path) -> None:
    from surgical_style_engine.app.maps import check_maps_folder, map_files
    from surgical_style_engine.models.card import CARD_NAME
    from training_cli.cohort.paths import check_outputs

    names = [task.values["name"] for task in planned.tasks]
    check_maps_folder(maps, names)
    written = [file for name in names for file in map_files(maps, name)]
    check_outputs([*planned.inputs, style.folder / CARD_NAME], written, report)


def _folder_of(report: Path) -> Path:
    """Where the manifest of a cohort's evaluation is: beside its report."""
    return report.with_name(f"{report.stem}_volumes")


def _evaluate_all(
    work: EvaluateWork, planned: EvaluatePlan, spreading: Spreading, progress: str
) -> tuple[list[dict[str, Any]], list[tuple[Path, str]]]:
    """What a report says of each volume that is done, and what is not; a failure of the only one is raised."""
    from surgical_style_engine.app.inputs import Files
    from training_cli.cohort.checks import told_warnings
    from training_cli.cohort.command import do_cohort
    from training_cli.commands.works.evaluate import FEATURES, unpacked
    from training_cli.progress import Progress

    done = 0

    def tell(entry: dict[str, Any]) -> None:
        nonlocal done
        done += 1
        _tell_progress(progress, done, len(planned.tasks), entry)

    if not planned.is_cohort:
        (task,) = planned.tasks
        outcome = work.prepare().run(task, task.name, Files())
        if (targets := work.target_set()) is not None:
            targets.clear()
            targets.put(unpacked(outcome.extra[FEATURES]))
        tell(outcome.entry)
        told_warnings(f"{task.name}: {sentence}" for sentence in outcome.entry["warnings"])
        return [outcome.entry], []
    result = do_cohort(
        work, planned.tasks, spreading, Progress(progress), f"Evaluation of {work.model}", tell, planned.problems
    )
    return result.entries(), [*result.failures(), *planned.problems]


def _quality(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the volumes."""
    from surgical_style_engine.metrics import mean_metrics

    qualities = [dict(entry["quality"]) for entry in entries]
    ledgers = [quality.pop("lesions") for quality in qualities if "lesions" in quality]
    quality = mean_metrics(qualities) if qualities else {}
    if ledgers:
        from surgical_style_engine.metrics.lesions import summed

        quality["lesions"] = summed(ledgers)
    return quality


def _distances(work: EvaluateWork, planned: EvaluatePlan, report: Path, entries: list[dict[str, Any]]) -> Any:
    """The distance of the set of translations from that of the references."""
    from training_cli.cohort.run.cohort_run import Places
    from training_cli.cohort.run.manifest import plain_name
    from training_cli.commands.works.evaluate import FEATURES, unpacked

    targets = work.target_set()
    assert targets is not None
    if planned.is_cohort:
        targets.clear()
    places = Places(_folder_of(report))
    done = {entry["input"] for entry in entries}
    for task in planned.tasks if planned.is_cohort else []:
        if str(task.inputs[0]) in done:
            targets.put(unpacked(places.extra(plain_name(task.volume), FEATURES).read_bytes()))
    return targets.distances()


def _write_report(
    report: Path,
    work: EvaluateWork,
    style: StyleModel,
    planned: EvaluatePlan,
    outcome: tuple[list[dict[str, Any]], list[tuple[Path, str]]],
    quality: dict[str, Any],
    begun: float,
) -> None:
    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.app.report_entries import model_entry, shared_entry

    entries, failures = outcome
    more: dict[str, Any] = {"paired": planned.paired} if planned.paired else {}
    if failures:
        more["failed"] = [{"input": path, "reason": reason} for path, reason in failures]
    write_report(
        report,
        new_report(
            inputs=[task.inputs[0] for task in planned.tasks],
            model=model_entry(style, work.direction),
            **shared_entry(entries),
            quality=quality,
            warnings=[f"{Path(each['input']).name}: {text}" for each in entries for text in each["warnings"]],
            seconds=time.perf_counter() - begun,
            volumes=entries,
            synthetic=True,
            **more,
        ),
    )


def _tell_progress(progress: str, done: int, total: int, entry: dict[str, Any]) -> None:
    name = Path(entry["input"]).name
    if progress == "json":
        print(json.dumps({"progress": done / total, "volume": name, "seconds": entry["seconds"]}), flush=True)
    elif progress == "auto":
        paired = entry["quality"]["reference"]
        figures = f", PSNR {paired['psnr']:.2f} dB" if paired else ""
        print(f"{done}/{total} {name}: translated in {entry['seconds']:.1f} s{figures}", file=sys.stderr, flush=True)


def _tell(name: str, quality: dict[str, Any], entries: list[dict[str, Any]], report: str) -> None:
    """Print the table, unless no report's path is given."""
    if not report:
        return
    from rich.console import Console

    console = Console()
    volumes = f"{len(entries)} volume{'s' if len(entries) > 1 else ''}"
    console.print(_table(f"{name}: mean of {volumes}", quality))
    if "lesions" in quality:
        _print_lesions(console, quality["lesions"])
    console.print(f"Report: {report}", highlight=False, soft_wrap=True)


def _print_lesions(console: Any, ledger: dict[str, Any]) -> None:
    from rich.table import Table

    from training_cli.report_page.lesion_tables import COLUMNS, lesion_rows, lesion_sentence

    table = Table(title="lesions by diameter")
    for heading in ("diameter", *COLUMNS):
        table.add_column(heading.lower(), justify="left" if heading == "diameter" else "right")
    for row in lesion_rows(ledger):
        table.add_row(row.name.lower(), *row.cells)
    console.print(table)
    console.print(lesion_sentence(ledger), highlight=False)


def _table(title: str, quality: dict[str, Any]) -> Any:
    """Every metric that the registry knows of, with its floors."""
    from rich.table import Table

    from surgical_style_engine.metrics import registry

    table = Table(title=title)
    for heading in ("figure", "value", "floor: input", "floor: histogram"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for line in registry.lines(quality):
        metric = line.metric
        value = metric.number(line.value, precise=True)
        if line.raw is not None:
            value += f" (raw {metric.number(line.raw, precise=True)})"
        floors = (line.floors.get(name) for name in ("input", "histogram_matched"))
        cells = (metric.number(floor, precise=True) if line.floors else "" for floor in floors)
        table.add_row(metric.heading, value, *cells)
    return table
