"""`sst translate`: apply a trained model to a volume or to a folder of volumes."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from surgical_style_engine.errors import InputError, StyleTransferError

if TYPE_CHECKING:
    from surgical_style_engine.adjust import Adjustments
    from surgical_style_engine.backends.runner import Runner
    from surgical_style_engine.models.folder import StyleModel
    from surgical_style_engine.volumes.volume import Volume
    from training_cli.progress import Progress

PLANES = ("axial", "coronal", "sagittal")
SINGLE = ("mask", "units", "maps", "consistency")  # of a volume, that a report on one volume has itself


def translate(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="volume or picture, DICOM folder, or folder of volumes (a cohort)")
    ],
    output: Annotated[Path, typer.Argument(help="file to write; for a cohort, or with --dicom, a folder")],
    model: Annotated[str, typer.Option("--model", help="model folder or name (see: sst models list)")],
    direction: Annotated[str, typer.Option("--direction", help="forward or backward")] = "forward",
    plane: Annotated[
        Optional[str],
        typer.Option("--plane", help="axial, coronal, sagittal, or all (averaged); the model's own if not given"),
    ] = None,
    strength: Annotated[
        str, typer.Option("--strength", help="0 is the input, 1 the whole translation; auto: see --least-consistency")
    ] = "1",
    mask: Annotated[
        Optional[Path],
        typer.Option("--mask", help="labelmap; outside it the input stays (for a cohort: a folder, matched by name)"),
    ] = None,
    match: Annotated[
        Optional[Path], typer.Option("--match", help="reference volume whose intensities the output follows")
    ] = None,
    match_by: Annotated[str, typer.Option("--match-by", help="histogram or moments")] = "histogram",
    structure_guard: Annotated[
        Optional[float],
        typer.Option("--structure-guard", help="edges from the input, only tone from the model, below this size in mm"),
    ] = None,
    flatten_bias: Annotated[
        bool, typer.Option("--flatten-bias", help="remove the bias field of an MR input first (N4)")
    ] = False,
    least_consistency: Annotated[
        Optional[float],
        typer.Option("--least-consistency", help="with --strength auto: Semantic Consistency to keep, 0 to 1"),
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="average over flips and small shifts in each plane: 4 times slower")
    ] = False,
    pattern: Annotated[str, typer.Option("--pattern", help="files of a cohort, e.g. '*_T1W*'")] = "*",
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="auto, fp32, bf16, fp16 or int8")] = "auto",
    backend: Annotated[str, typer.Option("--backend", help="auto, torch or openvino")] = "auto",
    batch_size: Annotated[
        Optional[int], typer.Option("--batch-size", help="slices at once; chosen by the device if not given")
    ] = None,
    dicom: Annotated[
        bool, typer.Option("--dicom", help="write a DICOM series, derived from that of the INPUT folder, into OUTPUT")
    ] = False,
    report: Annotated[Optional[Path], typer.Option("--report", help="JSON report with the quality figures")] = None,
    quality: Annotated[
        bool, typer.Option("--quality/--no-quality", help="figures in the report (six more translations)")
    ] = True,
    maps: Annotated[
        Optional[Path],
        typer.Option("--maps", help="folder for the maps that `sst report` shows: the cycle error (with the figures)"),
    ] = None,
    progress: Annotated[str, typer.Option("--progress", help="auto, json or none")] = "auto",
) -> None:
    """Translate INPUT with a model and write OUTPUT on exactly the input's grid.

    A translation is a synthetic image: the header of the output says so. In a cohort every volume that can be
    translated is; those that cannot are named at the end, with the reason.
    """
    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.inference.runners import runner_for
    from surgical_style_engine.models.card import CARD_NAME
    from surgical_style_engine.models.dicom_output import check_target
    from surgical_style_engine.models.folder import load_model
    from training_cli.cohort.matching import stem
    from training_cli.cohort.paths import check_outputs
    from training_cli.progress import Progress
    from training_cli.report_page.maps import check_maps_folder, map_files

    begun = time.perf_counter()
    shown = Progress(progress)
    wanted = _adjustments(structure_guard, match, match_by, flatten_bias, least_consistency, ensemble, strength)
    blend = 1.0 if strength == "auto" else float(strength)
    jobs = _plan(source, output, pattern, mask, report, direction, plane, blend, dicom)
    check_outputs(
        [path for job in jobs for path in (job.source, job.mask)] + [match],
        [job.output for job in jobs] + [path for job in jobs for path in map_files(maps, stem(job.source))],
        report,
    )
    if wanted.match is None and match is not None:
        wanted = replace(wanted, match=_reference(match))
    check_maps_folder(maps, [stem(job.source) for job in jobs])
    style = load_model(model)
    check_outputs([style.folder / CARD_NAME], [report])
    style.check_direction(direction)
    if dicom:
        check_target(style.card, direction)
    job_options = {
        "direction": direction,
        "planes": _planes(plane),
        "device": device,
        "precision": precision,
        "backend": backend,
        "batch_size": batch_size,
    }
    single = not _is_cohort(source, jobs)
    runner = runner_for(style, direction, device=device, precision=precision, backend=backend)
    if not single:
        output.mkdir(parents=True, exist_ok=True)
    paired = [sentence for job in jobs for sentence in job.paired]
    for sentence in paired:
        typer.echo(sentence, err=True)
    entries, failures = [], []
    with shown:
        for number, job in enumerate(jobs):
            name = job.source.name if single else f"{job.source.name} ({number + 1}/{len(jobs)})"
            try:
                entries.append(
                    _run(job, style, blend, wanted, runner, job_options, report and quality, shown, name, maps, dicom)
                )
            except StyleTransferError as error:
                if single:
                    raise
                failures.append((job.source, error))
                print(f"sst: {job.source.name}: {error}", file=sys.stderr)
    if report is not None:
        write_report(
            report,
            new_report(
                **_shared(entries),
                inputs=[job.source for job in jobs],
                output=output,
                model=model_entry(style, direction),
                seconds=time.perf_counter() - begun,
                direction=direction,
                plane=plane or style.card.plane,
                strength="auto" if strength == "auto" and not single else entries[0]["strength"] if entries else blend,
                adjustments=wanted.sentence(),
                **({"match": match} if match is not None else {}),
                **({"paired": paired} if paired else {}),
                **({key: entries[0][key] for key in SINGLE} if single else {"volumes": entries}),
                **({"failed": [{"input": path, "reason": str(error)} for path, error in failures]} if failures else {}),
            ),
        )
    for entry in entries:
        if progress != "json":
            goal = style.card.domain_to(direction).name
            typer.echo(f"{entry['output']}: {goal} (synthetic), {entry['slices']} slices in {entry['seconds']:.1f} s")
            if entry["consistency"] is not None:
                typer.echo(f"strength {entry['strength']:.3f}, consistency {entry['consistency']:.3f}")
        for sentence in entry["warnings"]:
            typer.echo(f"Warning: {sentence}", err=True)
    if failures:
        from training_cli.main import fail

        bad_input = all(error.exit_code == 2 for _, error in failures)
        fail(f"{len(failures)} of {len(jobs)} volumes could not be translated.", 2 if bad_input else 1)


def _adjustments(
    guard: float | None,
    match: Path | None,
    match_by: str,
    flatten: bool,
    least: float | None,
    ensemble: bool,
    strength: str,
) -> Adjustments:
    """The adjustments of the options, the reference to match still unread. Raises InputError."""
    from surgical_style_engine.adjust import Adjustments

    if strength != "auto":
        try:
            float(strength)
        except ValueError:
            raise InputError(f"--strength is between 0 and 1, or auto, not '{strength}'.") from None
    if (strength == "auto") != (least is not None):
        raise InputError("--strength auto and --least-consistency X belong together: X is what the strength must keep.")
    if match is not None and not match.exists():
        raise InputError(f"{match} does not exist.")
    if match is None and match_by != "histogram":
        raise InputError("--match-by needs --match REFERENCE.")
    return Adjustments(
        structure_guard_mm=guard, match_by=match_by, flatten_bias=flatten, least_consistency=least, ensemble=ensemble
    )


def _reference(path: Path) -> Volume:
    from surgical_style_engine.imageio.volume_io import read_volume
    from surgical_style_engine.volumes.volume import check_volume

    reference = read_volume(path)
    check_volume(reference, path.name)
    return reference


@dataclass(frozen=True)
class Job:
    """One volume to translate; the mask's file, if any. paired: what is to be told of how that was found."""

    source: Path
    output: Path
    mask: Path | None
    paired: tuple[str, ...] = ()


def _plan(
    source: Path,
    output: Path,
    pattern: str,
    mask: Path | None,
    report: Path | None,
    direction: str,
    plane: str | None,
    strength: float,
    dicom: bool = False,
) -> list[Job]:
    """What to do, everything checked that can be before a network is loaded. Raises InputError."""
    from surgical_style_engine.imageio.dicom.read import DICOM_ENDINGS
    from surgical_style_engine.imageio.volume_io import VOLUME_ENDINGS, WRITABLE_ENDINGS, check_output, ending_of
    from training_cli.cohort.matching import stem, volumes_in

    if direction not in ("forward", "backward"):
        raise InputError(f"--direction is forward or backward, not '{direction}'.")
    if plane not in (None, "all", *PLANES):
        raise InputError(f"--plane is {', '.join(PLANES)} or all, not '{plane}'.")
    if not 0 <= strength <= 1:
        raise InputError(f"--strength is between 0 and 1, not {strength:g}.")
    for path in (source, mask):
        if path is not None and not path.exists():
            raise InputError(f"{path} does not exist.")
    for path in (output, report):
        if path is not None and not path.absolute().parent.is_dir():
            raise InputError(f"The folder {path.absolute().parent} does not exist.")
    sources = volumes_in(source, pattern)
    if dicom:
        _check_dicom(source, sources, output)
    if sources == [source]:
        if not dicom:
            check_output(output)
        return [Job(source, output, *_masks(sources, mask)[0])]
    if output.is_file() or ending_of(output) in (*VOLUME_ENDINGS, *WRITABLE_ENDINGS, *DICOM_ENDINGS):
        raise InputError(
            f"{source} is a folder of {len(sources)} volumes, so the output must be a folder, and {output.name} is the "
            "name of a file."
        )
    jobs = []
    for path, (found, paired) in zip(sources, _masks(sources, mask), strict=True):
        ending = ending_of(path) if path.is_file() and ending_of(path) in WRITABLE_ENDINGS else ".nii.gz"
        ending = ".png" if ending in (".jpg", ".jpeg") else ending  # not to lose anything more
        ending = "" if dicom else ending
        jobs.append(Job(path, output / f"{stem(path)}_synthetic{ending}", found, paired))
    names = [job.output.name for job in jobs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"Two inputs would both become {twice[0]}; narrow them down with --pattern.")
    return jobs


def _masks(sources: Sequence[Path], mask: Path | None) -> list[tuple[Path | None, tuple[str, ...]]]:
    """The mask of every volume and what is to be told of it: the named file for a single volume, else that of a folder
    that goes with it by name. Raises InputError."""
    from training_cli.cohort.matching import match_all, told_match, volumes_in

    if mask is None:
        return [(None, ())] * len(sources)
    masks = volumes_in(mask, what="mask")
    if masks == [mask] and len(sources) == 1:
        return [(mask, ())]
    if mask.is_file():
        raise InputError(f"{mask.name} is one mask for {len(sources)} volumes; give a folder with a mask of each.")
    found = match_all(sources, masks, "mask")
    for path, each in zip(sources, found, strict=True):
        if each is None:
            raise InputError(f"No mask in {mask} goes with {path.name}.")
    return [(each, tuple(told_match(path, each, "mask"))) for path, each in zip(sources, found, strict=True)]


def _check_dicom(source: Path, sources: Sequence[Path], output: Path) -> None:
    """Raise InputError unless a new DICOM series can be made of the input, in a folder of its own."""
    from surgical_style_engine.imageio.dicom.source import is_radiograph
    from surgical_style_engine.imageio.dicom.target import check_output_folder
    from surgical_style_engine.imageio.volume_io import WRITABLE_ENDINGS, ending_of

    if strange := [path.name for path in sources if not path.is_dir() and not is_radiograph(path)]:
        raise InputError(f"--dicom needs a folder with a DICOM series as input, which {strange[0]} is not.")
    if ending_of(output) in (*WRITABLE_ENDINGS, ".dcm"):
        raise InputError(f"With --dicom the output is a folder, and {output.name} is the name of a file.")
    if sources == [source]:
        check_output_folder(output)


def _is_cohort(source: Path, jobs: Sequence[Job]) -> bool:
    return [job.source for job in jobs] != [source]


def _run(
    job: Job,
    style: StyleModel,
    strength: float,
    wanted: Adjustments,
    runner: Runner,
    options: dict[str, Any],
    with_quality: Any,
    shown: Progress,
    name: str,
    maps: Path | None = None,
    dicom: bool = False,
) -> dict:
    """Translate one volume, write it, and give its part of the report."""
    from surgical_style_engine.imageio.dicom.source import open_series
    from surgical_style_engine.imageio.volume_io import check_output, read_volume, write_volume
    from surgical_style_engine.inference.cycle import cycle_of
    from surgical_style_engine.inference.translate import translate_volume
    from surgical_style_engine.metrics import quality_of
    from surgical_style_engine.models.dicom_output import write_dicom_series
    from surgical_style_engine.models.provenance import synthetic_notes
    from surgical_style_engine.volumes.body_mask import body_mask
    from surgical_style_engine.volumes.file_warnings import file_warnings
    from surgical_style_engine.volumes.geometry import labels_like
    from training_cli.cohort.matching import left_out, stem
    from training_cli.report_page.maps import save_maps

    begun = time.perf_counter()
    shown.stage(f"translating {name}")
    volume = read_volume(job.source)
    goal = style.card.domain_to(options["direction"])
    series = open_series(job.source, volume, goal) if dicom else None
    if not dicom:
        check_output(job.output, volume)
    mask = None if job.mask is None else read_volume(job.mask)
    done = translate_volume(
        volume,
        style,
        strength=strength,
        mask=mask,
        adjustments=wanted,
        runner=runner,
        progress=shown,
        keep_normalized=bool(with_quality),
        **options,
    )
    figures = cycle = region = None
    if with_quality:
        shown.stage(f"judging {name}")
        region = body_mask(volume) if mask is None else labels_like(mask, volume).array[0] != 0
        cycle = cycle_of(volume, style, done, mask=region, progress=shown, **options)
        body = region if mask is None else None
        figures = quality_of(volume, style, done, mask=mask, body=body, cycle=cycle, with_cycle=False, **options)
        figures |= runner.outcome()  # what an optimisation came to
    notes = synthetic_notes(style.card, options["direction"], done.strength, wanted)
    if done.mixed:
        notes["SyntheticUnits"] = "mixed: input and translation have different units; the values are no measurements"
    shown_on = volume if maps is not None else None
    del volume, region  # writing needs their room
    if series is None:
        write_volume(done.volume, job.output, notes)
    else:
        masked = mask is not None
        write_dicom_series(
            done.volume,
            series,
            job.output,
            style.card,
            options["direction"],
            strength=done.strength,
            masked=masked,
            mixed=done.mixed,
            adjustments=wanted,
        )
    kept = {}
    if maps is not None:
        kept = save_maps(maps, stem(job.source), shown_on, cycle, notes, disagreement=done.disagreement)
    return {
        "input": job.source,
        "output": job.output,
        "mask": job.mask,
        "device": done.device,
        "backend": done.backend,
        "precision": done.precision,
        "seconds": time.perf_counter() - begun,
        "slices": done.slices,
        "units": "mixed" if done.mixed else style.card.domain_to(options["direction"]).units or "arbitrary",
        "strength": done.strength,
        "consistency": done.consistency,
        "quality": figures or {},
        "maps": kept,
        "warnings": [*left_out(job.source), *done.warnings, *file_warnings(mask, wanted.match)],
    }


def model_entry(style: StyleModel, direction: str) -> dict:
    """What a report says of the model."""
    card = style.card
    return {
        "name": card.name,
        "title": card.title,
        "direction": direction,
        "from": card.domain_from(direction).name,
        "to": card.domain_to(direction).name,
        "sha256": card.weights.sha256,
        "intended_use": card.intended_use,
        "folder": style.folder,
    }


def _shared(entries: list[dict]) -> dict:
    """The report's keys that speak of all volumes together."""
    from surgical_style_engine.metrics import mean_figures

    figures = [entry["quality"] for entry in entries]
    kinds = {
        name: ", ".join(sorted({entry[name] for entry in entries})) or None
        for name in ("device", "backend", "precision")
    }
    named = [(entry["input"].name, sentence) for entry in entries for sentence in entry["warnings"]]
    return {
        **kinds,
        "slices": sum(entry["slices"] for entry in entries),
        "quality": figures[0] if len(figures) == 1 else mean_figures(figures) if figures else {},
        "warnings": [text if len(entries) == 1 else f"{name}: {text}" for name, text in named],
        "synthetic": True,
    }


def _planes(plane: str | None) -> list[str] | None:
    return list(PLANES) if plane == "all" else [plane] if plane else None
