"""`sst evaluate`: the quality figures of a model on volumes it has not seen."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

if TYPE_CHECKING:
    from surgical_style_engine.models.folder import StyleModel
    from surgical_style_engine.volumes.volume import Volume


def evaluate(
    model: Annotated[str, typer.Option("--model", help="model folder or name")],
    source: Annotated[Path, typer.Option("--source", help="volume, or folder of volumes, to translate")],
    report: Annotated[Path, typer.Option("--report", help="JSON report to write")],
    reference: Annotated[
        Optional[Path],
        typer.Option("--reference", help="volume or folder of real target volumes, matched to the source by name"),
    ] = None,
    masks: Annotated[
        Optional[Path], typer.Option("--masks", help="mask or folder of masks; without it the body mask is found")
    ] = None,
    direction: Annotated[str, typer.Option("--direction", help="forward or backward")] = "forward",
    pattern_source: Annotated[str, typer.Option("--pattern-source", help="files of --source, e.g. '*_T1W*'")] = "*",
    pattern_reference: Annotated[str, typer.Option("--pattern-reference", help="files of --reference")] = "*",
    pattern_masks: Annotated[str, typer.Option("--pattern-masks", help="files of --masks")] = "*",
    register: Annotated[
        bool, typer.Option("--register/--no-register", help="align references rigidly unless they share the grid")
    ] = True,
    cycle: Annotated[
        bool, typer.Option("--cycle/--no-cycle", help="cycle figures (six more translations a volume)")
    ] = True,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="auto, fp32, bf16, fp16 or int8")] = "auto",
    backend: Annotated[str, typer.Option("--backend", help="auto, torch or openvino")] = "auto",
    write_card: Annotated[
        str, typer.Option("--write-card", help="also store the mean figures in the model's card, under this label")
    ] = "",
    maps: Annotated[
        Optional[Path],
        typer.Option("--maps", help="folder for what `sst report` shows: translations, cycle errors, references"),
    ] = None,
    progress: Annotated[str, typer.Option("--progress", help="auto, json or none")] = "auto",
) -> None:
    """Translate volumes and judge the result: cycle scores, semantic consistency, and what references allow.

    A reference of the same patient (patient04_study1_T1W goes with patient04_study1_T2W) gives MAE, PSNR, SSIM and
    MS-SSIM inside the mask, beside two floors: the input itself, and the input with its histogram matched to the
    reference. One whose registration finds nothing in common with the source is left out, with a warning. A folder of
    references also gives the KID between the translated set and that set, paired or not, with the same floors (the
    histogram then being that of all references).
    """
    import time

    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.errors import InputError
    from surgical_style_engine.metrics import mean_figures
    from surgical_style_engine.models.folder import CARD_NAME, load_model
    from training_cli.cohort.matching import left_out, match_all, stem, told_match, volumes_in
    from training_cli.cohort.paths import check_outputs
    from training_cli.report_page.maps import check_maps_folder, map_files

    from .translate import model_entry

    if direction not in ("forward", "backward"):
        raise InputError(f"--direction is forward or backward, not '{direction}'.")
    if progress not in ("auto", "json", "none"):
        raise InputError(f"--progress is auto, json or none, not '{progress}'.")
    if not report.absolute().parent.is_dir():
        raise InputError(f"The folder {report.absolute().parent} of the report does not exist.")
    for path in (source, reference, masks):
        if path is not None and not path.exists():
            raise InputError(f"{path} does not exist.")
    start = time.perf_counter()
    style = load_model(model)
    style.check_direction(direction)
    sources = volumes_in(source, pattern_source, "source")
    references = [] if reference is None else volumes_in(reference, pattern_reference, "reference")
    mask_files = [] if masks is None else volumes_in(masks, pattern_masks, "mask")
    check_maps_folder(maps, [stem(path) for path in sources])
    check_outputs(
        [*sources, *references, *mask_files, style.folder / CARD_NAME],
        [file for path in sources for file in map_files(maps, stem(path))],
        report,
    )

    def match(candidates: list[Path], named: Path | None, what: str) -> list[Path | None]:
        if len(sources) == 1 and candidates == [named]:
            return [named]  # one volume and one reference were named: they belong together
        found = match_all(sources, candidates, what)
        for path, each in zip(sources, found, strict=True):
            paired.extend(told_match(path, each, what))
        return found

    options = {"device": device, "precision": precision, "backend": backend}
    entries, warnings, paired = [], [], []
    pairs, mask_paths = match(references, reference, "reference"), match(mask_files, masks, "mask")
    for sentence in paired:
        typer.echo(sentence, err=True)
    target_set = _TargetSet(style, references, direction) if len(references) > 1 else None
    for number, (path, pair, mask_path) in enumerate(zip(sources, pairs, mask_paths, strict=True)):
        warnings += left_out(path)
        if reference is not None and pair is None:
            warnings.append(f"{path.name}: no reference has a matching name; only unpaired figures.")
        if masks is not None and mask_path is None:
            warnings.append(f"{path.name}: no mask has a matching name; the body mask was found instead.")
        entry = _evaluate_one(style, path, pair, mask_path, direction, register, cycle, target_set, options, maps)
        warnings += [f"{path.name}: {sentence}" for sentence in entry.pop("warnings")]
        entries.append(entry)
        _tell(progress, number + 1, len(sources), entry)

    quality = mean_figures([entry["quality"] for entry in entries])
    if target_set is not None:
        quality["kid"] = target_set.distances()
    kinds = {name: sorted({entry[name] for entry in entries}) for name in ("device", "backend", "precision")}
    write_report(
        report,
        new_report(
            inputs=sources,
            model=model_entry(style, direction),
            **{name: ", ".join(values) for name, values in kinds.items()},
            seconds=time.perf_counter() - start,
            slices=sum(entry["slices"] for entry in entries),
            quality=quality,
            warnings=warnings,
            volumes=entries,
            synthetic=True,
            **({"paired": paired} if paired else {}),
        ),
    )
    if write_card:
        from training_cli.model_card import add_figures

        add_figures(style.folder, write_card, quality)
    if progress != "json":
        _print_table(style.card.name, quality, len(entries), report)
    for sentence in warnings:
        typer.echo(f"Warning: {sentence}", err=True)


def _evaluate_one(
    style: StyleModel,
    path: Path,
    reference_path: Path | None,
    mask_path: Path | None,
    direction: str,
    register: bool,
    cycle: bool,
    target_set: _TargetSet | None,
    options: dict[str, Any],
    maps: Path | None = None,
) -> dict:
    """Translate one volume and return its part of the report; hands its slices to `target_set` for the KID."""
    from surgical_style_engine.imageio.provenance import synthetic_notes
    from surgical_style_engine.imageio.volume_io import read_volume
    from surgical_style_engine.inference.cycle import cycle_of
    from surgical_style_engine.inference.translate import translate_volume
    from surgical_style_engine.metrics import quality_of
    from surgical_style_engine.volumes.body_mask import body_mask
    from surgical_style_engine.volumes.file_warnings import file_warnings
    from surgical_style_engine.volumes.geometry import labels_like
    from surgical_style_engine.volumes.volume import check_volume
    from training_cli.cohort.alignment import align_reference, alignment_doubt
    from training_cli.cohort.matching import stem
    from training_cli.report_page.maps import save_maps

    volume = read_volume(path)
    check_volume(volume, path.name)
    mask = None
    doubts = []
    if mask_path is not None:
        labels = read_volume(mask_path)
        doubts += file_warnings(labels)
        mask = labels_like(labels, volume).array[0] > 0
    aligned = valid = alignment = None
    if reference_path is not None:
        real = read_volume(reference_path)
        doubts += file_warnings(real)
        aligned, valid, alignment = align_reference(volume, real, reference_path, register)
        if doubt := alignment_doubt(alignment, reference_path):
            aligned = valid = None
            doubts.append(doubt)
    translation = translate_volume(volume, style, direction=direction, **options)
    judged = None
    if cycle:
        region = body_mask(volume) if mask is None else mask
        judged = cycle_of(volume, style, translation, direction=direction, mask=region, **options)
    quality = quality_of(
        volume,
        style,
        translation,
        aligned,
        mask,
        direction=direction,
        valid=valid,
        cycle=judged,
        with_cycle=False,
        **options,
    )
    kept = {}
    if maps is not None:
        notes = synthetic_notes(style.card, direction)
        kept = save_maps(maps, stem(path), volume, judged, notes, translation.volume, aligned)
    if target_set is not None:
        target_set.add(volume, translation, mask)
    return {
        "input": path,
        "reference": reference_path,
        "mask": mask_path,
        "registration": alignment,
        "device": translation.device,
        "backend": translation.backend,
        "precision": translation.precision,
        "seconds": translation.seconds,
        "slices": translation.slices,
        "quality": quality,
        "maps": kept,
        "warnings": [*doubts, *translation.warnings],
    }


class _TargetSet:
    """The slices of all references, and those of the translations to be judged against them by the KID."""

    def __init__(self, style: StyleModel, paths: list[Path], direction: str) -> None:
        import numpy as np

        from surgical_style_engine.imageio.volume_io import read_volume
        from surgical_style_engine.metrics import set_features
        from surgical_style_engine.volumes.body_mask import body_mask
        from surgical_style_engine.volumes.volume import check_volume

        self.count = len(paths)
        features, values = [], []
        for path in paths:
            volume = read_volume(path)
            check_volume(volume, path.name)
            array = style.card.domain_to(direction).normalization.fit(volume.array).forward(volume.array)
            region = body_mask(volume)
            features.append(set_features(volume, array, region))
            inside = array[:, region].ravel()
            values.append(inside[:: max(1, inside.size // 50_000)])
        self.real, self.values = np.concatenate(features), np.concatenate(values)
        self.sets: dict[str, list] = {"translated": [], "input": [], "histogram_matched": []}

    def add(self, volume: Volume, translation: Any, mask: Any) -> None:
        from surgical_style_engine.metrics import set_features
        from surgical_style_engine.volumes.body_mask import body_mask
        from surgical_style_engine.volumes.histogram_matching import histogram_match

        region = body_mask(volume) if mask is None else mask
        source = translation.normalized_input
        arrays = {
            "translated": translation.normalized_output,
            "input": source,
            "histogram_matched": histogram_match(source, self.values, region),
        }
        for name, array in arrays.items():
            self.sets[name].append(set_features(volume, array, region))

    def distances(self) -> dict:
        """KID of the translations and of the two floors, to the references."""
        import numpy as np

        from surgical_style_engine.metrics import kernel_mmd

        found = {name: kernel_mmd(np.concatenate(rows), self.real) for name, rows in self.sets.items()}
        return {
            "value": found["translated"][0],
            "deviation": found["translated"][1],
            "floors": {name: found[name][0] for name in ("input", "histogram_matched")},
            "translated_slices": sum(map(len, self.sets["translated"])),
            "reference_slices": len(self.real),
            "reference_volumes": self.count,
            "features": "slice statistics (no Inception network): comparable between runs of this program only",
        }


def _tell(progress: str, done: int, total: int, entry: dict) -> None:
    name = Path(entry["input"]).name
    if progress == "json":
        print(json.dumps({"progress": done / total, "volume": name, "seconds": entry["seconds"]}), flush=True)
    elif progress == "auto":
        paired = entry["quality"]["reference"]
        figures = f", PSNR {paired['psnr']:.2f} dB" if paired else ""
        print(f"{done}/{total} {name}: translated in {entry['seconds']:.1f} s{figures}", file=sys.stderr, flush=True)


def _print_table(name: str, quality: dict, count: int, report: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{name}: mean of {count} volume{'s' if count > 1 else ''}")
    for heading in ("figure", "value", "floor: input", "floor: histogram"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for key, label in (
        ("look_ahead_score", "Look-Ahead Score"),
        ("jigsaw_puzzle_error", "Jigsaw Puzzle Error"),
        ("semantic_consistency", "Semantic Consistency"),
    ):
        raw = quality.get(f"{key}_raw")
        if quality.get(key) is not None:
            table.add_row(label, f"{quality[key]:.4f}" + (f" (raw {raw:.4f})" if raw is not None else ""), "", "")
    paired = quality.get("reference")
    if paired:
        rows = (("psnr", "PSNR (dB)"), ("ssim", "SSIM"), ("ms_ssim", "MS-SSIM"), ("mae", "MAE (reference's units)"))
        for key, label in rows:
            values = (paired, *(paired["floors"][floor] for floor in ("input", "histogram_matched")))
            table.add_row(label, *(_number(entry.get(key)) for entry in values))
    if quality.get("kid"):
        distance = quality["kid"]
        floors = (distance["floors"][floor] for floor in ("input", "histogram_matched"))
        table.add_row("KID (own features)", _number(distance["value"]), *map(_number, floors))
    console.print(table)
    console.print(f"Report: {report}", highlight=False, soft_wrap=True)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
