"""`sst compare`: any models, and folders of volumes that other tools made, judged side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from surgical_style_engine.errors import InputError

from .options import Backend, Device, Precision, Report

if TYPE_CHECKING:
    from surgical_style_engine.app.court import Candidate, Verdicts
    from training_cli.court.files import Common, Folders

Models = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL...",
        help="each a model folder, a style's name, weights (.pth, .onnx), or a folder of volumes; NAME=... names it, "
        "...:backward turns a model round",
    ),
]
Source = Annotated[Path, typer.Option("--source", help="volume, or folder of volumes, that the candidates translate")]
Reference = Annotated[Path, typer.Option("--reference", help="real volumes of the target contrast, matched by name")]
Output = Annotated[Optional[Path], typer.Option("--output", help="HTML page to write")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of the table")]
Lesions = Annotated[Optional[Path], typer.Option("--lesions", help="labelmap of lesions, or folder of them")]
Masks = Annotated[Optional[Path], typer.Option("--masks", help="mask, or folder of masks; the body if not given")]
ErrorMaps = Annotated[
    Optional[Path],
    typer.Option("--error-maps", help="folder with CANDIDATE/SOURCE_error_bound.nii.gz, the error to be expected"),
]
PatternSource = Annotated[str, typer.Option("--pattern-source", help="files of --source, e.g. '*_T1W*'")]
PatternReference = Annotated[str, typer.Option("--pattern-reference", help="files of --reference")]
Direction = Annotated[str, typer.Option("--direction", help="forward or backward, where a candidate does not say")]
SourceName = Annotated[str, typer.Option("--source-name", help="source contrast, such as T1w")]
TargetName = Annotated[str, typer.Option("--target-name", help="target contrast, such as T2w")]
Modality = Annotated[str, typer.Option("--modality", help="of imported weights: MR, CT, ...")]
Spacing = Annotated[
    Optional[float], typer.Option("--spacing", help="mm that imported networks run at; the slices' own")
]
Register = Annotated[bool, typer.Option("--register/--no-register", help="align references rigidly unless on the grid")]


def compare(  # noqa: PLR0913 - a Typer command: one parameter an option
    models: Models,
    source: Source,
    reference: Reference,
    output: Output = None,
    as_json: AsJson = False,
    report: Report = None,
    lesions: Lesions = None,
    masks: Masks = None,
    error_maps: ErrorMaps = None,
    pattern_source: PatternSource = "*",
    pattern_reference: PatternReference = "*",
    direction: Direction = "forward",
    source_name: SourceName = "",
    target_name: TargetName = "",
    modality: Modality = "MR",
    spacing: Spacing = None,
    register: Register = True,
    device: Device = "auto",
    precision: Precision = "fp32",
    backend: Backend = "auto",
) -> None:
    """Judge models side by side on patients with a real image: one table, and with --output one page.

    Candidates may be models of this project, generators of the CycleGAN, pix2pix and CUT code, ONNX generators, or
    folders of volumes that any tool made of the sources. All are normalised, masked and judged alike; differences are
    paired by patient, with bootstrap intervals. The same command gives the same figures, but for time and memory.
    """
    import tempfile

    from surgical_style_engine.app.court import CourtCase, Details, hold_court, resolve
    from surgical_style_engine.common.run_options import RunOptions
    from training_cli.cohort.checks import told, told_warnings
    from training_cli.court.files import Folders, find_patients

    folders = Folders(source, reference, lesions, masks, error_maps, pattern_source, pattern_reference)
    _check(folders, output, report, direction)
    details = Details(source_name, target_name, modality, spacing, direction)
    with tempfile.TemporaryDirectory() as temporary:
        candidates = resolve(models, details, Path(temporary))
        common = find_patients(folders, candidates)
        _check_outputs(common, candidates, folders, output, report)
        told(common.told)
        options = RunOptions(device=device, precision=precision, backend=_backend(backend))
        case = CourtCase(candidates, common.patients, register, options, stage=lambda text: told([f"{text} ..."]))
        verdicts = hold_court(case)
    verdicts.warnings[:0] = common.warnings
    _write(verdicts, [patient.source for patient in common.patients], output, report)
    if as_json:
        typer.echo(_text(verdicts))
    else:
        _print(verdicts)
    told_warnings(verdicts.warnings)
    told([f"{what}: {path}" for what, path in (("Page", output), ("Report", report)) if path is not None])


def _backend(backend: str) -> str:
    """Not what happens to be fastest today: the same figures come from the same backend."""
    from surgical_style_engine.common.torch_presence import has_torch

    return backend if backend != "auto" or not has_torch() else "torch"


def _check(folders: Folders, output: Path | None, report: Path | None, direction: str) -> None:
    from training_cli.cohort.checks import check_direction, check_exist, check_folders_of

    check_direction(direction)
    check_exist(folders.source, folders.reference, folders.lesions, folders.masks, folders.error_maps)
    check_folders_of(output, report)
    if output is not None and (output.is_dir() or output.suffix.lower() not in (".html", ".htm")):
        raise InputError(f"The page {output.name} needs a name that ends with .html.")


def _check_outputs(
    common: Common, candidates: list[Candidate], folders: Folders, output: Path | None, report: Path | None
) -> None:
    from training_cli.cohort.paths import check_outputs

    read = [path for patient in common.patients for path in (patient.source, patient.reference)]
    read += [candidate.folder for candidate in candidates]
    check_outputs([*read, folders.lesions, folders.masks], [output], report)


def _write(verdicts: Verdicts, sources: list[Path], output: Path | None, report: Path | None) -> None:
    """Write page and report, both or none."""
    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.common.atomic_write import replacing
    from surgical_style_engine.errors import StyleTransferError
    from training_cli.cohort.all_or_nothing import all_or_nothing
    from training_cli.court.page import page_of

    contrasts = verdicts.entry["contrasts"]
    with all_or_nothing() as files:
        if output is not None:
            names = ", ".join(candidate["name"] for candidate in verdicts.entry["candidates"])
            text = page_of(verdicts, f"{contrasts['source']} to {contrasts['target']}: {names}")
            try:
                with replacing(files.add(output)) as temporary:
                    temporary.write_text(text, encoding="utf-8")
            except OSError as error:
                raise StyleTransferError(f"Cannot write the page {output}: {error.strerror or error}.") from None
        if report is not None:
            entry = new_report(inputs=sources, output=output, warnings=verdicts.warnings, compared=verdicts.entry)
            write_report(files.add(report), entry)


def _text(verdicts: Verdicts) -> str:
    from surgical_style_engine.app.report import plain

    entry: dict[str, Any] = {**verdicts.entry, "warnings": verdicts.warnings}
    return json.dumps(plain(entry), indent=2, ensure_ascii=False, allow_nan=False)


def _print(verdicts: Verdicts) -> None:
    from rich.console import Console
    from rich.table import Table

    from training_cli.court.page import differences_of, tables_of

    console = Console()
    first, *others = tables_of(verdicts.entry)
    # A line a figure: a terminal is too narrow for a column each.
    table = Table(title=first.title, title_justify="left")
    for heading in ("figure", *(row.name for row in first.rows)):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for number, heading in enumerate(first.columns):
        table.add_row(heading, *(row.cells[number] for row in first.rows))
    console.print(table)
    for each in others:
        table = Table(title=each.title, title_justify="left")
        for heading in ("candidate", *each.columns):
            table.add_column(heading, justify="left" if heading == "candidate" else "right")
        for row in each.rows:
            table.add_row(row.name, *row.cells)
        console.print(table)
    table = Table(title="paired differences", title_justify="left")
    for heading in ("figure", "difference", "mean (interval)", "in favour of"):
        table.add_column(heading)
    for heading, lines in differences_of(verdicts.entry):
        for line in lines:
            table.add_row(heading, line.name, line.text, line.decided or "open")
    if table.row_count:
        console.print(table)
