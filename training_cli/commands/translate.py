"""`sst translate`: apply a trained model to a volume or to a folder of volumes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Optional

import typer

from surgical_style_engine.errors import StyleTransferError
from training_cli.terminal import echo

from .options import (
    Backend,
    Device,
    Direction,
    Overwrite,
    Pattern,
    Precision,
    ProgressKind,
    Report,
    Scheduler,
    Sessions,
    Subjects,
    Suffix,
    WorkerMemory,
    Workers,
)
from .translate_request import Asked, adjustments_of

if TYPE_CHECKING:
    from surgical_style_engine.adjust.options import Adjustments
    from surgical_style_engine.models.folder import StyleModel
    from training_cli.cohort.bids.dataset import Dataset, Selection
    from training_cli.cohort.bids.derivatives import Domains
    from training_cli.cohort.command import Spreading
    from training_cli.cohort.plan import Job, Plan
    from training_cli.commands.works.translate import TranslateWork
    from training_cli.progress import Progress

Outcome = tuple[list[dict[str, Any]], list[tuple[Path, str]]]  # entries of a report, and what failed with its reason
SINGLE = ("mask", "units", "maps", "consistency", "recognised")  # of a volume, that a report on one volume has itself

Inputs = Annotated[
    list[Path],
    typer.Argument(
        metavar="INPUT...",
        help="volume or picture, DICOM folder, or folder of volumes (a cohort); with --to one or several of one "
        "patient, on the first one's grid, or a folder for each contrast (--as)",
    ),
]
To = Annotated[
    Optional[str],
    typer.Option("--to", help="the contrast to make, of any that a model for many knows (T1w, T2w, FLAIR, ...)"),
]
As = Annotated[
    Optional[list[str]],
    typer.Option("--as", metavar="CONTRAST=FILE", help="what an input is, with --to; recognised where it is not said"),
]
Output = Annotated[Path, typer.Argument(help="file to write; for a cohort, or with --dicom, a folder")]
Model = Annotated[
    Optional[str],
    typer.Option("--model", help="model folder or name (see: sst models list); without it, those that fit are named"),
]
Force = Annotated[
    bool, typer.Option("--force", help="translate images of another modality, and in a folder of another contrast, too")
]
Plane = Annotated[
    Optional[str],
    typer.Option("--plane", help="axial, coronal, sagittal, or all (averaged); the model's own if not given"),
]
Strength = Annotated[
    str, typer.Option("--strength", help="0 is the input, 1 the whole translation; auto: see --least-consistency")
]
Mask = Annotated[
    Optional[Path],
    typer.Option("--mask", help="labelmap; outside it the input stays (for a cohort: a folder, matched by name)"),
]
Match = Annotated[Optional[Path], typer.Option("--match", help="reference volume whose intensities the output follows")]
MatchBy = Annotated[str, typer.Option("--match-by", help="histogram or moments")]
StructureGuard = Annotated[
    Optional[float],
    typer.Option("--structure-guard", help="edges from the input, only tone from the model, below this size in mm"),
]
FlattenBias = Annotated[bool, typer.Option("--flatten-bias", help="remove the bias field of an MR input first (N4)")]
LeastConsistency = Annotated[
    Optional[float],
    typer.Option("--least-consistency", help="with --strength auto: Semantic Consistency to keep, 0 to 1"),
]
Ensemble = Annotated[
    bool, typer.Option("--ensemble", help="average over flips and small shifts in each plane: 4 times slower")
]
BatchSize = Annotated[
    Optional[int], typer.Option("--batch-size", help="slices at once; chosen by the device if not given")
]
Dicom = Annotated[
    bool, typer.Option("--dicom", help="write a DICOM series, derived from that of the INPUT folder, into OUTPUT")
]
Deidentify = Annotated[
    bool, typer.Option("--dicom-deidentify", help="with --dicom: without what could say whose it is; faces stay")
]
Quality = Annotated[
    str,
    typer.Option(
        "--quality",
        metavar="quick|full",
        help="figures in the report: quick judges the cycle on a sample of slices, in no more time than the "
        "translation takes; full on all of them (six more translations)",
    ),
]
NoQuality = Annotated[bool, typer.Option("--no-quality", help="no figures in the report")]
ErrorMap = Annotated[
    Optional[Path],
    typer.Option(
        "--error-map", help="file for the error bound of every voxel, in the target's units (calibrated models)"
    ),
]
Uncertainty = Annotated[
    str,
    typer.Option(
        "--uncertainty",
        metavar="quick|full",
        help="the error bound from what is at hand, or from four more translations of turned slices as well",
    ),
]
MapFolder = Annotated[
    Optional[Path],
    typer.Option("--maps", help="folder for the maps that `sst report` shows: the cycle error (with the figures)"),
]


def translate(  # noqa: PLR0913 - a Typer command: one parameter an option
    source: Inputs,
    output: Output,
    to: To = None,
    stated: As = None,
    model: Model = None,
    direction: Direction = "forward",
    plane: Plane = None,
    strength: Strength = "1",
    mask: Mask = None,
    match: Match = None,
    match_by: MatchBy = "histogram",
    structure_guard: StructureGuard = None,
    flatten_bias: FlattenBias = False,
    least_consistency: LeastConsistency = None,
    ensemble: Ensemble = False,
    pattern: Pattern = "*",
    suffix: Suffix = None,
    subject: Subjects = None,
    session: Sessions = None,
    device: Device = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    batch_size: BatchSize = None,
    dicom: Dicom = False,
    dicom_deidentify: Deidentify = False,
    report: Report = None,
    quality: Quality = "quick",
    no_quality: NoQuality = False,
    error_map: ErrorMap = None,
    uncertainty: Uncertainty = "quick",
    maps: MapFolder = None,
    force: Force = False,
    overwrite: Overwrite = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    worker_memory: WorkerMemory = None,
    progress: ProgressKind = "auto",
) -> None:
    """Translate INPUT with a model and write OUTPUT on exactly the (first) input's grid.

    A translation is a synthetic image: the header of the output says so. Another modality is refused, another
    contrast warned about. Of a cohort, what cannot be translated or does not fit is left out and named.
    """
    from training_cli.cohort.bids.dataset import Selection
    from training_cli.cohort.command import Spreading
    from training_cli.routes.asked import route_asked

    adjusted = {"structure_guard_mm": structure_guard, "match_by": match_by, "flatten_bias": flatten_bias}
    adjusted |= {"least_consistency": least_consistency, "ensemble": ensemble}
    adjustments = adjustments_of(strength, match, adjusted)
    run = {"device": device, "precision": precision, "backend": backend, "batch_size": batch_size, "force": force}
    route = route_asked(source, stated or [], to, model, direction)
    first, *others = route.sources
    inputs = (first, output, route.direction, plane, strength, mask, match, pattern, dicom, report)
    judged = ("none" if no_quality else quality, maps, error_map, uncertainty, dicom_deidentify)
    asked = Asked(*inputs, *judged, tuple(others))
    spreading = Spreading(output, overwrite, workers, scheduler, worker_memory)
    selection = Selection(suffix, subject, session)
    _translate(asked, route.model, (adjustments, run), selection, spreading, progress, route.told)


def _translate(
    asked: Asked,
    model: str | None,
    how: tuple[Adjustments, dict[str, Any]],
    selection: Selection,
    spreading: Spreading,
    progress: str,
    said: Sequence[str],
) -> None:
    """Translate what is asked for, and report it. how: adjustments and ``RunOptions``; said: of the inputs."""
    from training_cli.cohort.bids.derivatives import plan_derivatives, write_description
    from training_cli.cohort.checks import told
    from training_cli.commands.works.translate import work_of
    from training_cli.progress import Progress

    begun = time.perf_counter()
    shown = Progress(progress)
    bids = _bids(asked.source, selection, model, asked.direction)
    planned = asked.plan(None if bids is None else lambda: plan_derivatives(*bids, selection, asked.output, asked.mask))
    if model is None:
        _refuse_without_model(planned, asked.source, asked.output)
    adjustments, run = how
    work, style = work_of(asked, model, adjustments, {**run, "strict": not planned.single})
    told([*said, *planned.paired])
    with shown:
        if planned.single:
            outcome: Outcome = [_translate_one(work, style, planned.jobs[0], shown)], []
        else:
            outcome = _translate_cohort(work, style, planned, spreading, shown)
            if bids is not None:
                write_description(*bids, style.card, asked.output)
    if asked.report is not None:
        _write_report(asked.report, work, style, planned, outcome, time.perf_counter() - begun)
    if failures := outcome[1]:
        from training_cli.main import fail

        fail(f"{len(failures)} of {len(outcome[0]) + len(failures)} volumes could not be translated.", 1)


def _bids(source: Path, selection: Selection, model: str | None, direction: str) -> tuple[Dataset, Domains] | None:
    """The BIDS data set that the source is or is a part of, and what of it is translated; None where it is none.

    Raises InputError where only a data set can be meant.
    """
    from surgical_style_engine.errors import InputError
    from surgical_style_engine.models.card import read_card
    from surgical_style_engine.models.names import find_model
    from training_cli.cohort.bids.dataset import open_dataset
    from training_cli.cohort.bids.derivatives import domains_of
    from training_cli.cohort.checks import told

    dataset = open_dataset(source) if source.is_dir() else None
    if dataset is None and selection.is_any:
        raise InputError(f"--suffix, --subject and --session are for a BIDS data set, which {source} is not.")
    if dataset is None or model is None:
        return None
    domains = domains_of(read_card(find_model(model)), direction, selection)
    if selection.suffix is None:
        agent = {True: " with a contrast agent", False: " without a contrast agent", None: ""}[domains.agent]
        told(
            [f"BIDS data set {dataset.root}: images with the suffix {domains.suffix}{agent}, as the model takes them."]
        )
    return dataset, domains


def _refuse_without_model(planned: Plan, source: Path, output: Path) -> NoReturn:
    from .inspect import refuse_without_model

    refuse_without_model([job.source for job in planned.jobs], source, output)


def _translate_one(work: TranslateWork, style: StyleModel, job: Job, shown: Progress) -> dict[str, Any]:
    """Translate the only volume: what a report says of it. Raises StyleTransferError."""
    from surgical_style_engine.app.translate_case import translate_case
    from training_cli.cohort.checks import told_warnings
    from training_cli.commands.works.translate import entry_of, with_advice

    asked = work.asked
    case = asked.case(style, work.adjustments, work.run_options, shown, judged=asked.report is not None)
    one = replace(
        case,
        volume=job.source,
        mask=job.mask,
        others=job.others,
        writing=replace(case.writing, output=job.output, name=job.name),
        title=job.source.name,
        told=lambda sentence: told_warnings([sentence]),
    )
    try:
        entry = entry_of(job, translate_case(one), one.adjustments.sentence())
    except StyleTransferError as failure:
        raise with_advice(failure) from None
    _tell(style.card.domain_to(asked.direction).name, entry, shown)
    told_warnings(sentence for sentence in entry["warnings"] if sentence not in entry["told"])
    return entry


def _translate_cohort(
    work: TranslateWork, style: StyleModel, planned: Plan, spreading: Spreading, shown: Progress
) -> Outcome:
    """Translate what of a cohort is missing, changed or failed.

    Returns:
        What a report says of each volume that is done, and what is not.
    """
    from training_cli.cohort.command import do_cohort
    from training_cli.commands.works.translate import translate_tasks

    target = style.card.domain_to(work.asked.direction).name
    title = f"{style.card.domain_from(work.asked.direction).name} to {target} by {style.card.name}"
    tasks = translate_tasks(planned.jobs)
    result = do_cohort(
        work, tasks, spreading, shown, title, tell=lambda entry: _tell(target, entry, shown), problems=planned.problems
    )
    return result.entries(), [*result.failures(), *planned.problems]


def _reported(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry without what only the screen needs."""
    return {key: value for key, value in entry.items() if key != "told"}


def _write_report(
    report: Path,
    work: TranslateWork,
    style: StyleModel,
    planned: Plan,
    outcome: Outcome,
    seconds: float,
) -> None:
    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.app.report_entries import model_entry, named_warnings, shared_entry, shared_quality

    asked = work.asked
    entries, failures = outcome
    strength: str | float = entries[0]["strength"] if entries else asked.blend
    if asked.strength == "auto" and not planned.single:
        strength = "auto"
    more: dict[str, Any] = (
        {key: entries[0][key] for key in SINGLE}
        if planned.single
        else {"volumes": [_reported(entry) for entry in entries]}
    )
    if asked.match is not None:
        more["match"] = asked.match
    if planned.paired:
        more["paired"] = planned.paired
    if failures:
        more["failed"] = [{"input": path, "reason": reason} for path, reason in failures]
    write_report(
        report,
        new_report(
            **shared_entry(entries),
            quality=shared_quality(entries),
            warnings=named_warnings([(Path(entry["input"]), entry["warnings"]) for entry in entries]),
            inputs=[path for job in planned.jobs for path in (job.source, *job.others)],
            output=asked.output,
            model=model_entry(style, asked.direction),
            seconds=seconds,
            synthetic=True,
            direction=asked.direction,
            plane=asked.plane or style.card.plane,
            strength=strength,
            adjustments=entries[0]["adjustments"] if entries else work.adjustments.sentence(),
            **more,
        ),
    )


def _tell(target: str, entry: dict[str, Any], shown: Progress) -> None:
    if shown.kind == "json":
        return
    from surgical_style_engine.app.trust.verdict import verdict_line

    slices, seconds = entry["slices"], entry["seconds"]
    echo(f"{entry['output']}: {target} (synthetic), {slices} slices in {seconds:.1f} s")
    if entry["quality"].get("verdict"):
        echo(verdict_line(entry["quality"]["verdict"]))
    if entry["consistency"] is not None:
        echo(f"strength {entry['strength']:.3f}, consistency {entry['consistency']:.3f}")
