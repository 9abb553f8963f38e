"""`sst evaluate`: the quality metrics of a model on volumes it has not seen."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from surgical_style_engine.errors import InputError

from .options import Backend, Device, Direction, Precision, ProgressKind

if TYPE_CHECKING:
    from surgical_style_engine.app.judge_set import TargetSet
    from surgical_style_engine.app.translate_case import TranslateCase, TranslatedCase
    from surgical_style_engine.models.folder import StyleModel

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
    register: Register = True,
    cycle: Cycle = True,
    lpips: Lpips = False,
    device: Device = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    write_card: WriteCard = "",
    maps: MapFolder = None,
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
    from surgical_style_engine.app.translate_case import TranslateCase, Writing
    from surgical_style_engine.common.run_options import RunOptions
    from surgical_style_engine.models.folder import load_model
    from training_cli.cohort.checks import told

    _check(direction, progress, report, (source, reference, masks, lesions), lpips)
    begun = time.perf_counter()
    style = load_model(model)
    style.check_direction(direction)
    patterns = {"source": pattern_source, "reference": pattern_reference, "mask": pattern_masks}
    planned = _plan(source, reference, masks, lesions, patterns)
    _check_outputs(planned, style, maps, report)
    told(planned.paired)
    case = TranslateCase(
        source,
        style,
        direction,
        judging=Judging(cycle=cycle, lpips=lpips),
        target_set=_target_set(planned, style, direction),
        writing=Writing(maps=maps),
        options=RunOptions(device=device, precision=precision, backend=backend),
    )
    entries, warnings = _evaluate_all(case, planned, register, progress)
    quality = _quality(case, entries)
    _write_report(report, case, planned, entries, {"quality": quality, "warnings": warnings}, begun)
    if write_card:
        from training_cli.model_card import add_metrics

        add_metrics(style.folder, write_card, quality)
    _tell(style.card.name, quality, entries, warnings, "" if progress == "json" else str(report))


@dataclass(frozen=True)
class _Plan:
    """The volumes to translate, each with its reference, its mask and its lesions where it has any.

    Attributes:
        all_references: of the folder, paired or not.
        paired: how references and masks were found by their names, where that is worth telling.
        with_references, with_masks, with_lesions: whether there should be some.
    """

    sources: list[Path]
    references: list[Path | None]
    masks: list[Path | None]
    lesions: list[Path | None]
    all_references: list[Path]
    paired: list[str]
    with_references: bool
    with_masks: bool
    with_lesions: bool

    @property
    def inputs(self) -> list[Path]:
        """Everything that is read."""
        labels = [path for path in (*self.masks, *self.lesions) if path is not None]
        return [*self.sources, *self.all_references, *labels]


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


def _plan(
    source: Path, reference: Path | None, masks: Path | None, lesions: Path | None, patterns: dict[str, str]
) -> _Plan:
    """Find the volumes, and what belongs to each. Raises InputError."""
    from training_cli.cohort.matching import match_all, told_match, volumes_in

    sources = volumes_in(source, patterns["source"], "source")
    paired: list[str] = []

    def match(folder: Path | None, what: str) -> tuple[list[Path], list[Path | None]]:
        candidates = [] if folder is None else volumes_in(folder, patterns.get(what, "*"), what)
        if len(sources) == 1 and candidates == [folder]:
            return candidates, [folder]  # one volume and one reference were named: they belong together
        matched = match_all(sources, candidates, what)
        for path, file in zip(sources, matched, strict=True):
            paired.extend(told_match(path, file, what))
        return candidates, matched

    all_references, references = match(reference, "reference")
    _all_masks, mask_files = match(masks, "mask")
    _all_lesions, lesion_files = match(lesions, "lesion")
    if lesions is not None and not any(lesion_files):
        raise InputError(f"No labelmap of lesions in {lesions} has a name that matches a source.")
    if lesions is not None and reference is None:
        raise InputError("--lesions needs --reference: lesions are accounted for beside a real image.")
    named = (reference is not None, masks is not None, lesions is not None)
    return _Plan(sources, references, mask_files, lesion_files, all_references, paired, *named)


def _check_outputs(planned: _Plan, style: StyleModel, maps: Path | None, report: Path) -> None:
    from surgical_style_engine.app.maps import check_maps_folder, map_files
    from surgical_style_engine.models.card import CARD_NAME
    from training_cli.cohort.matching import stem
    from training_cli.cohort.paths import check_outputs

    names = [stem(path) for path in planned.sources]
    check_maps_folder(maps, names)
    written = [file for name in names for file in map_files(maps, name)]
    check_outputs([*planned.inputs, style.folder / CARD_NAME], written, report)


def _target_set(planned: _Plan, style: StyleModel, direction: str) -> TargetSet | None:
    if len(planned.all_references) < 2:
        return None
    from surgical_style_engine.app.judge_set import TargetSet

    return TargetSet(style, planned.all_references, direction)


def _evaluate_all(
    case: TranslateCase, planned: _Plan, register: bool, progress: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """What a report says of each volume, and the warnings on all of them."""
    from dataclasses import replace

    from surgical_style_engine.app.align_reference import Reference
    from surgical_style_engine.app.translate_case import translate_case
    from training_cli.cohort.matching import stem

    entries: list[dict[str, Any]] = []
    warnings: list[str] = []
    whole = zip(planned.sources, planned.references, planned.masks, planned.lesions, strict=True)
    for number, (path, reference, mask, lesions) in enumerate(whole):
        if planned.with_references and reference is None:
            warnings.append(f"{path.name}: no reference has a matching name; only unpaired figures.")
        if planned.with_masks and mask is None:
            warnings.append(f"{path.name}: no mask has a matching name; the body mask was found instead.")
        one = replace(
            case,
            volume=path,
            reference=None if reference is None else Reference(reference, register),
            labels=mask,
            writing=replace(case.writing, name=stem(path)),
        )
        translated = translate_case(one)
        warnings += [f"{path.name}: {sentence}" for sentence in translated.warnings]
        entries.append(_entry(path, reference, mask, translated))
        if planned.with_lesions:
            warnings += _add_lesions(entries[-1], one, translated, lesions)
        del translated  # the next volume needs its room
        _tell_progress(progress, number + 1, len(planned.sources), entries[-1])
    return entries, warnings


def _add_lesions(
    entry: dict[str, Any], case: TranslateCase, translated: TranslatedCase, lesions: Path | None
) -> list[str]:
    """Add a volume's ledger to its entry, or say in a warning why there is none."""
    from surgical_style_engine.app.lesions import account

    name = Path(entry["input"]).name
    if lesions is None or translated.reference is None:
        missing = "no labelmap of lesions has a matching name" if lesions is None else "there is no reference"
        return [f"{name}: {missing}; its lesions are not accounted for."]
    try:
        entry["quality"]["lesions"] = account(case, translated, lesions)
    except InputError as error:
        return [f"{name}: {error}"]
    return []


def _entry(path: Path, reference: Path | None, mask: Path | None, translated: TranslatedCase) -> dict[str, Any]:
    """What a report says of one volume."""
    from surgical_style_engine.app.report_entries import run_entry

    return {
        "input": path,
        "reference": reference,
        "mask": mask,
        "registration": translated.registration,
        **run_entry(translated),
        "seconds": translated.translation.seconds,
        "quality": translated.quality,
        "maps": translated.maps,
    }


def _quality(case: TranslateCase, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the volumes, and the distance of the sets."""
    from surgical_style_engine.metrics import mean_metrics

    qualities = [dict(entry["quality"]) for entry in entries]
    ledgers = [quality.pop("lesions") for quality in qualities if "lesions" in quality]
    quality = mean_metrics(qualities)
    if ledgers:
        from surgical_style_engine.metrics.lesions import summed

        quality["lesions"] = summed(ledgers)
    if case.target_set is not None:
        quality["kid"] = case.target_set.distances()
    return quality


def _write_report(
    report: Path,
    case: TranslateCase,
    planned: _Plan,
    entries: list[dict[str, Any]],
    judged: dict[str, Any],
    begun: float,
) -> None:
    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.app.report_entries import model_entry, shared_entry

    more: dict[str, Any] = {"paired": planned.paired} if planned.paired else {}
    write_report(
        report,
        new_report(
            inputs=planned.sources,
            model=model_entry(case.model, case.direction),
            **shared_entry(entries),
            **judged,
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


def _tell(name: str, quality: dict[str, Any], entries: list[dict[str, Any]], warnings: list[str], report: str) -> None:
    """Print the table, unless no report's path is given, and the warnings."""
    from training_cli.cohort.checks import told_warnings

    if report:
        from rich.console import Console

        console = Console()
        volumes = f"{len(entries)} volume{'s' if len(entries) > 1 else ''}"
        console.print(_table(f"{name}: mean of {volumes}", quality))
        if "lesions" in quality:
            _print_lesions(console, quality["lesions"])
        console.print(f"Report: {report}", highlight=False, soft_wrap=True)
    told_warnings(warnings)


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
