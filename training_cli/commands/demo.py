"""`sst demo`: the main job with the shipped model, on a volume that everybody has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from surgical_style_engine.errors import InputError
from training_cli.terminal import echo

from .options import Backend, Device, Direction, Precision, ProgressKind

if TYPE_CHECKING:
    import numpy as np

    from surgical_style_engine.app.translate_case import TranslateCase, TranslatedCase
    from surgical_style_engine.models.folder import StyleModel
    from surgical_style_engine.volumes.volume import Volume

JUDGED_ON_CPU = 32  # slices that the cycle metrics of a large volume are taken from where there is no GPU

Input = Annotated[
    Optional[Path],
    typer.Argument(help="T1-weighted brain MR of yours; the ICBM152 T1 of nilearn's package if not given"),
]
Output = Annotated[Path, typer.Option("--output", help="folder for the results")]
ReferenceFile = Annotated[
    Optional[Path], typer.Option("--reference", help="real target image of the same head, registered if need be")
]
Model = Annotated[Optional[str], typer.Option("--model", help="model folder or name; the shipped one")]
MapFolder = Annotated[
    Optional[Path],
    typer.Option("--maps", help="folder for the maps that `sst report` shows: cycle error, registered reference"),
]


def demo(  # noqa: PLR0913 - a Typer command: one parameter an option
    volume: Input = None,
    output: Output = Path("sst-demo"),
    reference: ReferenceFile = None,
    model: Model = None,
    direction: Direction = "forward",
    device: Device = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    map_folder: MapFolder = None,
    progress: ProgressKind = "auto",
) -> None:
    """Turn a T1-weighted brain MR into a T2-weighted one: the volume, report.json with the figures, comparison.png."""
    from surgical_style_engine.app.align_reference import Reference
    from surgical_style_engine.app.judging import Judging
    from surgical_style_engine.app.maps import check_maps_folder
    from surgical_style_engine.app.translate_case import TranslateCase, Writing, translate_case
    from surgical_style_engine.common.run_options import RunOptions
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.models.names import DEFAULT_MODEL
    from training_cli.cohort.checks import check_exist, told_warnings
    from training_cli.progress import Progress

    begun = time.perf_counter()
    if output.exists() and not output.is_dir():
        raise InputError(f"The output {output} is a file, not a folder.")
    check_exist(volume, reference)
    check_maps_folder(map_folder, [], future=output)
    style = load_model(model or DEFAULT_MODEL)
    style.check_direction(direction)
    with Progress(progress) as shown:
        shown.stage("reading")
        subject = _subject(volume, style, direction, output)
        _check_outputs(subject, reference, map_folder)
        case = TranslateCase(
            subject.volume,
            style,
            direction,
            reference=None if reference is None else Reference(reference),
            judging=Judging(max_slices_on_cpu=JUDGED_ON_CPU),
            options=RunOptions(device=device, precision=precision, backend=backend, progress=shown),
            writing=Writing(subject.written, maps=map_folder, name=subject.file_name),
            title=subject.name,
            stage=shown.stage,
        )
        translated = translate_case(case)
    _add_tissue_contrast(subject, case, translated)
    _save_picture(subject, case, translated)
    report = _write_report(subject, case, translated, time.perf_counter() - begun)
    told_warnings(translated.warnings)
    if progress != "json":
        _tell(subject, case, translated, report, time.perf_counter() - begun)


@dataclass(frozen=True, eq=False)
class _Subject:
    """What is translated, and where the results go. tissues: its maps of tissue classes, where they are known."""

    volume: Volume
    name: str
    source: Path | str
    credit: str
    tissues: dict[str, np.ndarray] | None
    folder: Path
    written: Path

    @property
    def file_name(self) -> str:
        """The name as files bear it."""
        return self.name.replace(" ", "_")

    @property
    def picture(self) -> Path:
        """Where the comparison goes."""
        return self.folder / "comparison.png"


def _subject(path: Path | None, style: StyleModel, direction: str, output: Path) -> _Subject:
    """Read the volume, or the template. Raises InputError."""
    from surgical_style_engine.imageio.read import read_volume
    from surgical_style_engine.imageio.write import check_output
    from training_cli.cohort.matching import stem
    from training_cli.pictures import demo_volume

    source: Path | str
    if path is None:
        volume, tissues = demo_volume.icbm152()
        name, source, credit = demo_volume.NAME, demo_volume.NAME, demo_volume.CREDIT
    else:
        volume, tissues, credit = read_volume(path), None, ""
        name, source = stem(path) if path.is_file() else path.name, path
    target = style.card.domain_to(direction).name
    written = output / f"{name.replace(' ', '_')}_{target}_synthetic.nii.gz"
    check_output(written, volume)
    return _Subject(volume, name, source, credit, tissues, output, written)


def _check_outputs(subject: _Subject, reference: Path | None, map_folder: Path | None) -> None:
    from surgical_style_engine.app.maps import map_files
    from training_cli.cohort.paths import check_outputs

    source = subject.source if isinstance(subject.source, Path) else None
    written = [subject.written, subject.picture, *map_files(map_folder, subject.file_name)]
    check_outputs([source, reference], written, subject.folder / "report.json")


def _add_tissue_contrast(subject: _Subject, case: TranslateCase, translated: TranslatedCase) -> None:
    """Of the template, whose tissues are known, whether the translation has them in the target's order."""
    from surgical_style_engine.metrics.tissues import tissue_contrast

    if subject.tissues is not None:
        target = case.model.card.domain_to(case.direction).name
        image = translated.translation.volume.array
        translated.quality["tissue_contrast"] = tissue_contrast(subject.volume.array, image, subject.tissues, target)


def _save_picture(subject: _Subject, case: TranslateCase, translated: TranslatedCase) -> None:
    import numpy as np

    from training_cli.pictures.comparison import save_comparison

    card, translation, cycle = case.model.card, translated.translation, translated.cycle
    source, target = card.domain_from(case.direction).name, card.domain_to(case.direction).name
    columns = {
        f"input ({source})": translation.normalized_input,
        f"translation ({target})": translation.normalized_output,
    }
    if translated.reference is not None:
        landmarks = card.domain_to(case.direction).normalization.fit(translated.reference.array)
        columns[f"real {target}, registered"] = landmarks.forward(translated.reference.array)
    if cycle is not None:
        columns[f"and back ({source})"] = np.nan_to_num(cycle.returned, nan=-1.0)
    save_comparison(
        subject.picture,
        subject.volume,
        columns,
        error=None if cycle is None else cycle.error,
        title=f"{subject.name}: {source} to {target}, synthetic",
        figures=shown_metrics(translated.quality),
        contrast=translated.quality.get("tissue_contrast"),
        footer=f"{card.name}, weights {card.stored.sha256[:12]}. Synthetic image, not for diagnosis. {subject.credit}",
    )


def _write_report(subject: _Subject, case: TranslateCase, translated: TranslatedCase, seconds: float) -> Path:
    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.app.report_entries import model_entry, run_entry

    more: dict[str, Any] = {} if case.reference is None else {"reference": case.reference.path}
    return write_report(
        subject.folder / "report.json",
        new_report(
            inputs=subject.source,
            output=subject.written,
            model=model_entry(case.model, case.direction),
            **run_entry(translated),
            seconds=seconds,
            quality=translated.quality,
            warnings=translated.warnings,
            translation_seconds=translated.translation.seconds,
            comparison=subject.picture,
            synthetic=True,
            credit=subject.credit,
            direction=case.direction,
            maps=translated.maps,
            **more,
        ),
    )


def shown_metrics(quality: dict[str, Any]) -> list[tuple[str, str]]:
    """The report's metrics as (name, value) lines for people."""
    from surgical_style_engine.metrics import registry

    lines = [line for line in registry.lines(quality) if line.metric.comparable]
    return [(line.metric.title, f"{line.text()}  ({line.remark()})".removesuffix("  ()")) for line in lines]


def _tell(subject: _Subject, case: TranslateCase, translated: TranslatedCase, report: Path, seconds: float) -> None:
    from surgical_style_engine.app.trust.verdict import verdict_line

    card, translation = case.model.card, translated.translation
    _print_metrics(translated.quality, card.domain_from(case.direction).name, card.domain_to(case.direction).name)
    if verdict := translated.quality.get("verdict"):
        echo(verdict_line(verdict))
    how = f"{translation.device} ({translation.precision})"
    echo(f"{translation.slices} slices in {translation.seconds:.1f} s on {how}, {seconds:.0f} s in all.")
    echo(f"Volume:  {subject.written}\nReport:  {report}\nPicture: {subject.picture}")


def _print_metrics(quality: dict[str, Any], source: str, target: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("figure", "value", title=f"{source} to {target}")
    for name, value in shown_metrics(quality):
        table.add_row(name, value)
    console.print(table)
    contrast = quality.get("tissue_contrast")
    if contrast:
        table = Table("tissue", f"mean before ({source})", f"mean after ({target})")
        for name, values in contrast["tissues"].items():
            table.add_row(name, f"{values['before']:.3g}", f"{values['after']:.4g}")
        console.print(table)
        verdict = {True: f"the order of a {target}", False: f"NOT the order of a {target}", None: "no known order"}
        order = " < ".join(contrast["order_after"])
        echo(f"After translation: {order}: {verdict[contrast['as_expected']]}.")
