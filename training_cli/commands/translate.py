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

from .options import Backend, Device, Direction, Precision, ProgressKind, Report
from .translate_request import Asked, adjustments_of

if TYPE_CHECKING:
    from surgical_style_engine.app.translate_case import TranslateCase, TranslatedCase
    from training_cli.cohort.plan import Job, Plan

Outcome = tuple[list[dict[str, Any]], list[tuple[Path, StyleTransferError]]]  # entries of a report, and failures
SINGLE = ("mask", "units", "maps", "consistency", "recognised")  # of a volume, that a report on one volume has itself

Inputs = Annotated[
    list[Path],
    typer.Argument(
        metavar="INPUT...",
        help="volume or picture, DICOM folder, or folder of volumes (a cohort); with --to one volume or several of one "
        "patient, on the first one's grid",
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
Pattern = Annotated[str, typer.Option("--pattern", help="files of a cohort, e.g. '*_T1W*'")]
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
    progress: ProgressKind = "auto",
) -> None:
    """Translate INPUT with a model and write OUTPUT on exactly the (first) input's grid.

    A translation is a synthetic image: the header of the output says so. Another modality is refused, another
    contrast warned about. Of a cohort, what cannot be translated or does not fit is left out and named.
    """
    from training_cli.progress import Progress
    from training_cli.routes.asked import route_asked

    begun = time.perf_counter()
    shown = Progress(progress)
    adjusted = {"structure_guard_mm": structure_guard, "match_by": match_by, "flatten_bias": flatten_bias}
    adjusted |= {"least_consistency": least_consistency, "ensemble": ensemble}
    adjustments = adjustments_of(strength, match, adjusted)
    run = {"device": device, "precision": precision, "backend": backend, "batch_size": batch_size, "force": force}
    route = route_asked(source, stated or [], to, model, direction)
    first, *others = route.sources
    inputs = (first, output, route.direction, plane, strength, mask, match, pattern, dicom, report)
    judged = ("none" if no_quality else quality, maps, error_map, uncertainty, dicom_deidentify)
    asked = Asked(*inputs, *judged, tuple(others))
    planned = asked.plan()
    if route.model is None:
        _refuse_without_model(planned, first, output)
    case = asked.case(route.model, adjustments, run | {"strict": not planned.single}, shown)
    with shown:
        outcome = _translate_all(case, planned, output, route.told)
    if report is not None:
        _write_report(report, asked, case, planned, outcome, time.perf_counter() - begun)
    _end(case, planned, outcome, quiet=progress == "json")


def _end(case: TranslateCase, planned: Plan, outcome: Outcome, quiet: bool) -> None:
    """Say what came of it; the command fails where something failed."""
    entries, failures = outcome
    _tell(case, entries, quiet)
    if failures:
        from training_cli.main import fail

        bad_input = all(error.exit_code == 2 for _, error in failures)
        fail(f"{len(failures)} of {len(planned.jobs)} volumes could not be translated.", 2 if bad_input else 1)


def _refuse_without_model(planned: Plan, source: Path, output: Path) -> NoReturn:
    from .inspect import refuse_without_model

    refuse_without_model([job.source for job in planned.jobs], source, output)


def _translate_all(case: TranslateCase, planned: Plan, output: Path, said: Sequence[str]) -> Outcome:
    """Translate one volume after the other: what a report says of each, and those that could not be translated.

    A failure of the only volume is raised.
    """
    from surgical_style_engine.app.translate_case import translate_case
    from training_cli.cohort.checks import told, told_warnings
    from training_cli.cohort.matching import stem

    if not planned.single:
        output.mkdir(parents=True, exist_ok=True)
    told([*said, *planned.paired])
    entries: list[dict[str, Any]] = []
    failures: list[tuple[Path, StyleTransferError]] = []
    for number, job in enumerate(planned.jobs):
        name = job.source.name
        one = replace(
            case,
            volume=job.source,
            mask=job.mask,
            writing=replace(case.writing, output=job.output, name=stem(job.source)),
            title=name if planned.single else f"{name} ({number + 1}/{len(planned.jobs)})",
            told=lambda sentence: told_warnings([sentence]),
        )
        try:
            entries.append(_entry(job, translate_case(one)))
        except StyleTransferError as failure:
            error = _with_advice(failure)
            if planned.single:
                raise error from None
            failures.append((job.source, error))
            told([f"sst: {name}: {error}"])
    return entries, failures


def _with_advice(error: StyleTransferError) -> StyleTransferError:
    """The error; of an image that does not fit, with what to do about it."""
    from surgical_style_engine.inference.fit.misfit import MisfitError

    if not isinstance(error, MisfitError):
        return error
    return MisfitError(f"{error} With --force it is translated nevertheless.")


def _entry(job: Job, translated: TranslatedCase) -> dict[str, Any]:
    """What a report says of one volume."""
    from surgical_style_engine.app.report_entries import run_entry

    return {
        "input": job.source,
        "output": job.output,
        "mask": job.mask,
        **run_entry(translated),
        "seconds": translated.seconds,
        "units": translated.units,
        "strength": translated.translation.strength,
        "consistency": translated.translation.consistency,
        "quality": translated.quality,
        "maps": translated.maps,
        "recognised": translated.recognised,
        "told": [] if translated.translation.misfit is None else translated.translation.misfit.warnings,
        "warnings": translated.warnings,
    }


def _reported(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry without what only the screen needs."""
    return {key: value for key, value in entry.items() if key != "told"}


def _write_report(
    report: Path, asked: Asked, case: TranslateCase, planned: Plan, outcome: Outcome, seconds: float
) -> None:
    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.app.report_entries import model_entry, named_warnings, shared_entry, shared_quality

    entries, failures = outcome
    strength: str | float = entries[0]["strength"] if entries else case.strength
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
        more["failed"] = [{"input": path, "reason": str(error)} for path, error in failures]
    write_report(
        report,
        new_report(
            **shared_entry(entries),
            quality=shared_quality(entries),
            warnings=named_warnings([(entry["input"], entry["warnings"]) for entry in entries]),
            inputs=[*(job.source for job in planned.jobs), *asked.others],
            output=asked.output,
            model=model_entry(case.model, case.direction),
            seconds=seconds,
            synthetic=True,
            direction=case.direction,
            plane=asked.plane or case.model.card.plane,
            strength=strength,
            adjustments=case.adjustments.sentence(),
            **more,
        ),
    )


def _tell(case: TranslateCase, entries: list[dict[str, Any]], quiet: bool) -> None:
    from surgical_style_engine.app.trust.verdict import verdict_line
    from training_cli.cohort.checks import told_warnings

    target = case.model.card.domain_to(case.direction).name
    for entry in entries:
        if not quiet:
            slices, seconds = entry["slices"], entry["seconds"]
            echo(f"{entry['output']}: {target} (synthetic), {slices} slices in {seconds:.1f} s")
            if entry["quality"].get("verdict"):
                echo(verdict_line(entry["quality"]["verdict"]))
            if entry["consistency"] is not None:
                echo(f"strength {entry['strength']:.3f}, consistency {entry['consistency']:.3f}")
        told_warnings(sentence for sentence in entry["warnings"] if sentence not in entry["told"])
