"""`sst demo`: the main job with the shipped model, on a volume that everybody has."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

# Figures with a reference: key, name for people, format.
PAIRED = (
    ("psnr", "PSNR in the body", "{:.2f} dB"),
    ("ssim", "SSIM", "{:.3f}"),
    ("ms_ssim", "MS-SSIM", "{:.3f}"),
    ("mae_normalised", "MAE (range 2)", "{:.3f}"),
)
JUDGED_ON_CPU = 32  # slices that the cycle figures of a large volume are taken from where there is no GPU


def demo(
    volume: Annotated[
        Optional[Path],
        typer.Argument(help="T1-weighted brain MR of yours; the ICBM152 T1 of nilearn's package if not given"),
    ] = None,
    output: Annotated[Path, typer.Option("--output", help="folder for the results")] = Path("sst-demo"),
    reference: Annotated[
        Optional[Path], typer.Option("--reference", help="real target image of the same head, registered if need be")
    ] = None,
    model: Annotated[Optional[str], typer.Option("--model", help="model folder or name; the shipped one")] = None,
    direction: Annotated[str, typer.Option("--direction", help="forward or backward")] = "forward",
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="auto, fp32, bf16, fp16 or int8")] = "auto",
    backend: Annotated[str, typer.Option("--backend", help="auto, torch or openvino")] = "auto",
    map_folder: Annotated[
        Optional[Path],
        typer.Option("--maps", help="folder for the maps that `sst report` shows: cycle error, registered reference"),
    ] = None,
    progress: Annotated[str, typer.Option("--progress", help="auto, json or none")] = "auto",
) -> None:
    """Turn a T1-weighted brain MR into a T2-weighted one: the volume, report.json with the figures, comparison.png."""
    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.errors import InputError
    from surgical_style_engine.imageio.volume_io import check_output, read_volume, write_volume
    from surgical_style_engine.inference.cycle import cycle_of
    from surgical_style_engine.inference.translate import translate_volume
    from surgical_style_engine.metrics import quality_of
    from surgical_style_engine.metrics.tissues import tissue_contrast
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.models.names import DEFAULT_MODEL
    from surgical_style_engine.models.provenance import synthetic_notes
    from surgical_style_engine.volumes.body_mask import body_mask
    from surgical_style_engine.volumes.file_warnings import file_warnings
    from training_cli.cohort.alignment import align_reference, alignment_doubt
    from training_cli.cohort.matching import stem
    from training_cli.cohort.paths import check_outputs
    from training_cli.pictures import demo_volume
    from training_cli.pictures.comparison import save_comparison
    from training_cli.progress import Progress
    from training_cli.report_page.maps import check_maps_folder, map_files, save_maps

    from .translate import model_entry

    begun = time.perf_counter()
    if output.exists() and not output.is_dir():
        raise InputError(f"The output {output} is a file, not a folder.")
    for path in (volume, reference):
        if path is not None and not path.exists():
            raise InputError(f"{path} does not exist.")
    check_maps_folder(map_folder, [], made=output)
    style = load_model(model or DEFAULT_MODEL)
    style.check_direction(direction)
    origin, goal = style.card.domain_from(direction).name, style.card.domain_to(direction).name
    options: dict[str, Any] = {"device": device, "precision": precision, "backend": backend}
    with Progress(progress) as shown:
        shown.stage("reading")
        if volume is None:
            head, maps = demo_volume.icbm152()
            name, source, credit = demo_volume.NAME, demo_volume.NAME, demo_volume.CREDIT
        else:
            head, maps, credit = read_volume(volume), None, ""
            name, source = stem(volume) if volume.is_file() else volume.name, volume
        written, picture = output / f"{name.replace(' ', '_')}_{goal}_synthetic.nii.gz", output / "comparison.png"
        check_outputs(
            [volume, reference],
            [written, picture, *map_files(map_folder, name.replace(" ", "_"))],
            output / "report.json",
        )
        check_output(written, head)
        aligned = valid = None
        doubts: list[str] = []
        if reference is not None:
            shown.stage("registering the reference")
            real = read_volume(reference)
            aligned, valid, how = align_reference(head, real, reference)
            doubts += file_warnings(real)
            if doubt := alignment_doubt(how, reference):
                aligned = valid = None
                doubts.append(doubt)
        shown.stage(f"translating {name}")
        done = translate_volume(head, style, direction=direction, progress=shown, **options)
        shown.stage("judging: there and back again")
        judged = None if done.device != "cpu" else JUDGED_ON_CPU
        body = body_mask(head)
        cycle = cycle_of(
            head, style, done, direction=direction, mask=body, max_slices=judged, progress=shown, **options
        )
        quality = quality_of(
            head, style, done, aligned, direction=direction, valid=valid, body=body, cycle=cycle, **options
        )
        warnings = [*doubts, *done.warnings]
        if maps is not None:
            quality["tissue_contrast"] = tissue_contrast(head.array, done.volume.array, maps, goal)

    output.mkdir(parents=True, exist_ok=True)
    notes = synthetic_notes(style.card, direction)
    write_volume(done.volume, written, notes)
    kept = {}
    if map_folder is not None:
        kept = save_maps(map_folder, name.replace(" ", "_"), head, cycle, notes, reference=aligned)
    columns = {f"input ({origin})": done.normalized_input, f"translation ({goal})": done.normalized_output}
    if aligned is not None:
        landmarks = style.card.domain_to(direction).normalization.fit(aligned.array)
        columns[f"real {goal}, registered"] = landmarks.forward(aligned.array)
    if cycle is not None:
        import numpy as np

        columns[f"and back ({origin})"] = np.nan_to_num(cycle.returned, nan=-1.0)
    save_comparison(
        picture,
        head,
        columns,
        error=None if cycle is None else cycle.error,
        title=f"{name}: {origin} to {goal}, synthetic",
        figures=shown_figures(quality),
        contrast=quality.get("tissue_contrast"),
        footer=f"{style.card.name}, weights {style.card.weights.sha256[:12]}. "
        f"Synthetic image, not for diagnosis. {credit}",
    )
    seconds = time.perf_counter() - begun
    report = write_report(
        output / "report.json",
        new_report(
            inputs=source,
            output=written,
            model=model_entry(style, direction),
            device=done.device,
            backend=done.backend,
            precision=done.precision,
            seconds=seconds,
            slices=done.slices,
            quality=quality,
            warnings=warnings,
            translation_seconds=done.seconds,
            comparison=picture,
            synthetic=True,
            credit=credit,
            direction=direction,
            maps=kept,
            **({} if reference is None else {"reference": reference}),
        ),
    )
    for sentence in warnings:
        typer.echo(f"Warning: {sentence}", err=True)
    if progress == "json":
        return
    _print_figures(quality, origin, goal)
    how = f"{done.device} ({done.precision})"
    typer.echo(f"{done.slices} slices in {done.seconds:.1f} s on {how}, {seconds:.0f} s in all.")
    typer.echo(f"Volume:  {written}\nReport:  {report}\nPicture: {picture}")


def shown_figures(quality: dict) -> list[tuple[str, str]]:
    """The report's figures as (name, value) lines for people."""
    lines = []
    for key, name in (("look_ahead_score", "Look-Ahead Score"), ("jigsaw_puzzle_error", "Jigsaw Puzzle Error")):
        if quality.get(key) is not None:
            lines.append((name, f"{quality[key]:.3f}  (raw {quality[f'{key}_raw']:.3f}; 0 is perfect)"))
    lines.append(("Semantic Consistency", f"{quality['semantic_consistency']:.3f}  (1 is perfect)"))
    paired = quality.get("reference")
    if paired:
        floors = paired["floors"]
        for key, name, form in PAIRED:
            input_, matched = floors["input"][key], floors["histogram_matched"][key]
            beside = f"(input {form.format(input_)}, histogram-matched {form.format(matched)})"
            lines.append((name, f"{form.format(paired[key])}  {beside}"))
    return lines


def _print_figures(quality: dict, origin: str, goal: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("figure", "value", title=f"{origin} to {goal}")
    for name, value in shown_figures(quality):
        table.add_row(name, value)
    console.print(table)
    contrast = quality.get("tissue_contrast")
    if contrast:
        table = Table("tissue", f"mean before ({origin})", f"mean after ({goal})")
        for name, values in contrast["tissues"].items():
            table.add_row(name, f"{values['before']:.3g}", f"{values['after']:.4g}")
        console.print(table)
        verdict = {True: f"the order of a {goal}", False: f"NOT the order of a {goal}", None: "no known order"}
        order = " < ".join(contrast["order_after"])
        typer.echo(f"After translation: {order}: {verdict[contrast['as_expected']]}.")
