"""`sst fuse`: several modalities of one patient in one volume."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from surgical_style_engine.errors import InputError

if TYPE_CHECKING:
    from surgical_style_engine.fusion import Fusion
    from surgical_style_engine.models.folder import StyleModel
    from surgical_style_engine.volumes.volume import Volume


def fuse(
    reference: Annotated[Path, typer.Argument(help="volume (file or DICOM folder) whose grid the result gets")],
    others: Annotated[
        Optional[list[Path]], typer.Argument(metavar="OTHER...", help="other modalities of the same patient, any grids")
    ] = None,
    output: Annotated[Path, typer.Argument(help="the fused volume (.nii.gz, .nrrd, .mha ...); always the last")] = ...,
    method: Annotated[str, typer.Option("--method", help="pyramid, guided, detail, weighted or learned")] = "pyramid",
    model: Annotated[
        Optional[str], typer.Option("--model", help="learned: folder or name of a model of several inputs")
    ] = None,
    weights: Annotated[
        Optional[str], typer.Option("--weights", help="one number an input, the reference's first: 1,1,0.5")
    ] = None,
    register: Annotated[
        str, typer.Option("--register", help="auto (rigid unless on the reference's grid), none, rigid or affine")
    ] = "auto",
    mask: Annotated[
        Optional[Path],
        typer.Option("--mask", help="labelmap where registration looks and quality is measured; else the body"),
    ] = None,
    window: Annotated[
        Optional[list[str]],
        typer.Option("--window", help="values of an input that become black and white: NUMBER:LOW:HIGH, 2:-100:300"),
    ] = None,
    units: Annotated[
        str,
        typer.Option("--units", help="reference: range of the reference (learned: of the target); none: 0 to 1"),
    ] = "reference",
    transforms: Annotated[
        Optional[Path],
        typer.Option("--transforms", help="folder for the transforms (.tfm) and pictures of how the inputs lie"),
    ] = None,
    picture: Annotated[Optional[Path], typer.Option("--picture", help="PNG of inputs and result side by side")] = None,
    report: Annotated[Optional[Path], typer.Option("--report", help="JSON report with the quality figures")] = None,
    quality: Annotated[bool, typer.Option("--quality/--no-quality", help="figures in the report")] = True,
    device: Annotated[str, typer.Option("--device", help="learned: auto, cpu, cuda, cuda:N or mps")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="learned: auto, fp32, bf16 or fp16")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an OUTPUT that exists")] = False,
    progress: Annotated[str, typer.Option("--progress", help="auto, json or none")] = "auto",
) -> None:
    """Fuse REFERENCE with OTHER... into OUTPUT, on exactly the reference's grid.

    The others are first laid over the reference by mutual information. The result is for looking at: its values are
    no measurements. Where no other volume has voxels, the reference stays as it is. Nothing is written unless
    everything succeeds.
    """
    import time

    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.fusion import fuse_learned, fuse_volumes, fusion_quality
    from surgical_style_engine.fusion.notes import fusion_notes, learned_notes
    from surgical_style_engine.imageio.volume_io import check_output, read_volume, write_volume
    from training_cli.cohort.matching import left_out
    from training_cli.progress import Progress

    start = time.perf_counter()
    shown = Progress(progress)
    paths = [reference, *(others or [])]
    _check_paths(paths, output, mask, transforms, picture, report, overwrite)
    numbers = None if weights is None else _numbers(weights, "--weights")
    windows = _windows(window or [], len(paths))
    style = _model(method, model, numbers, window, len(paths))
    with shown:
        shown.stage("reading")
        volumes = [read_volume(path) for path in paths]
        check_output(output, volumes[0])
        shown.stage(f"fusing {len(paths)} volumes")
        common = {
            "register": register,
            "mask": None if mask is None else read_volume(mask),
            "units": units,
            "progress": shown,
        }
        if style is not None:
            fusion = fuse_learned(volumes, style, device=device, precision=precision, **common)
        else:
            fusion = fuse_volumes(volumes, method=method, weights=numbers, normalizations=windows, **common)
        figures = {}
        if quality and report is not None:
            shown.stage("judging")
            figures = fusion_quality(fusion)
    warnings = [sentence for path in paths for sentence in left_out(path)] + fusion.warnings
    with _all_or_nothing() as written:
        kept = []
        if transforms is not None:
            kept = _write_transforms(transforms, volumes[0], fusion, written)
        if picture is not None:
            written.append(picture)
            save_picture(picture, volumes[0], {fusion.method: fusion}, figures)
        written.append(output)
        notes = fusion_notes(fusion) if style is None else learned_notes(style.card)
        write_volume(fusion.volume, output, notes)
        seconds = time.perf_counter() - start
        if report is not None:
            written.append(report)
            write_report(
                report,
                new_report(
                    inputs=paths,
                    output=output,
                    device="cpu",
                    precision="fp32",
                    seconds=seconds,
                    slices=fusion.volume.array.shape[1],
                    quality=figures,
                    warnings=warnings,
                    synthetic=True,
                    units=fusion.units,
                    model=None if style is None else _model_entry(style),
                    fusion={
                        "method": fusion.method,
                        "weights": fusion.weights,
                        "picture": picture,
                        "mask": mask,
                        "registrations": _registrations(fusion, kept),
                    },
                ),
            )
    if progress != "json":
        _tell(fusion, figures, seconds, output)
    for sentence in warnings:
        typer.echo(f"Warning: {sentence}", err=True)


def _model(
    method: str, name: str | None, weights: list[float] | None, window: list[str] | None, count: int
) -> StyleModel | None:
    """The model of a learned fusion, else None; raises InputError where the options do not go together."""
    if method != "learned":
        if name is not None:
            raise InputError("--model goes with --method learned.")
        return None
    if name is None:
        raise InputError("--method learned needs --model, a model of several inputs.")
    if weights is not None or window:
        raise InputError("--weights and --window have no meaning with --method learned: the model decides.")
    from surgical_style_engine.fusion.learned import check_inputs
    from surgical_style_engine.models.card import read_card
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.models.names import find_model

    check_inputs(read_card(find_model(name)), count)
    return load_model(name)


def _model_entry(style: StyleModel) -> dict:
    from .translate import model_entry

    return {**model_entry(style, "forward"), "inputs": [part.name for part in style.card.domains.source.inputs]}


def save_picture(path: Path, reference: Volume, fusions: dict[str, Fusion], figures: dict | None = None) -> None:
    """PNG with a row a slice: the inputs, then each fusion of them, by its heading."""
    from training_cli.pictures.comparison import save_comparison

    first = next(iter(fusions.values()))
    images = {("Reference" if n == 0 else f"Input {n + 1}"): array for n, array in enumerate(first.inputs)}
    images.update({heading: fusion.fused for heading, fusion in fusions.items()})
    lines = []
    if figures:
        floors = figures["floors"]
        for key, label in _SHOWN.items():
            values = [entry[key] for entry in (figures, floors["reference"], floors["average"])]
            lines.append((label, "{:.3f}  (reference alone {:.3f}, average {:.3f})".format(*values)))
    columns = {heading: array[None] * 2 - 1 for heading, array in images.items()}
    save_comparison(path, reference, columns, figures=lines, title="Fusion of modalities")


_SHOWN = {
    "normalized_mutual_information_lowest": "Mutual information with the worst-served input",
    "q_abf": "Edges kept (Q^AB/F)",
    "piella_weighted": "Structure kept (Piella Q_W)",
    "entropy": "Entropy (bit)",
}


def _check_paths(
    paths: list[Path],
    output: Path,
    mask: Path | None,
    transforms: Path | None,
    picture: Path | None,
    report: Path | None,
    overwrite: bool,
) -> None:
    from surgical_style_engine.imageio.volume_io import check_output
    from training_cli.cohort.paths import check_outputs, is_same

    if len(paths) < 2:
        raise InputError("Fusion needs at least two modalities and an output: sst fuse REFERENCE OTHER... OUTPUT.")
    for path in [*paths, mask]:
        if path is not None and not path.exists():
            raise InputError(f"{path} does not exist.")
    if any(is_same(path, other) for number, path in enumerate(paths) for other in paths[:number]):
        raise InputError("The same volume is given twice; fusion needs different modalities.")
    check_output(output)
    if picture is not None and picture.suffix.lower() != ".png":
        raise InputError(f"The picture {picture.name} needs the ending .png.")
    for path in (output, picture, report, transforms):
        if path is not None and not path.absolute().parent.is_dir():
            raise InputError(f"The folder {path.absolute().parent} does not exist.")
    if transforms is not None and transforms.exists() and not transforms.is_dir():
        raise InputError(f"--transforms needs a folder, and {transforms} is a file.")
    kept = [file for number, path in enumerate(paths[1:]) for file in _kept_files(transforms, number, path.name)]
    check_outputs([*paths, mask], [output, picture, *kept], report)
    # With the output forgotten, the last modality would be taken for it.
    if output.exists() and not overwrite:
        raise InputError(f"The output {output} exists already; --overwrite replaces it.")


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option} takes numbers with commas between them, not '{text}'.") from None


def _windows(texts: list[str], count: int) -> list[Any]:
    """A normalisation an input, None where none is given."""
    from surgical_style_engine.volumes.normalization import parse_normalization

    found: list[Any] = [None] * count
    for text in texts:
        parts = text.split(":")
        try:
            number, low, high = int(parts[0]), float(parts[1]), float(parts[2])
        except (ValueError, IndexError):
            raise InputError(f"--window is NUMBER:LOW:HIGH, such as 2:-100:300, not '{text}'.") from None
        if len(parts) != 3 or not 1 <= number <= count:
            raise InputError(f"--window '{text}' names none of the inputs 1 (the reference) to {count}.")
        found[number - 1] = parse_normalization({"kind": "hu_window", "lower": low, "upper": high})
    return found


@contextlib.contextmanager
def _all_or_nothing() -> Iterator[list[Path]]:
    """Gives a list for the files to be written; when anything fails, those that are new are removed again."""

    class Files(list):
        def append(self, path: Path) -> None:
            super().append((path, path.exists()))

    files = Files()
    try:
        yield files
    except BaseException:
        for path, existed in reversed(files):
            if not existed:
                with contextlib.suppress(OSError):
                    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        raise


def _write_transforms(folder: Path, reference: Volume, fusion: Fusion, written: list[Path]) -> list[dict]:
    """The transform of every other volume and a picture of how it lies: paths a volume."""
    from surgical_style_engine.volumes.registration import write_transform
    from training_cli.pictures.overlay import save_overlay

    written.append(folder)
    folder.mkdir(exist_ok=True)
    kept = []
    for number, (entry, name) in enumerate(zip(fusion.aligned, fusion.names[1:], strict=True)):
        files = dict(zip(("transform", "overlay"), _kept_files(folder, number, name), strict=True))
        written.append(files["transform"])
        write_transform(entry.transform, files["transform"])
        written.append(files["overlay"])
        save_overlay(reference, entry.volume, files["overlay"], title=f"{name} on the reference")
        kept.append(files)
    return kept


def _kept_files(folder: Path | None, number: int, name: str) -> list[Path]:
    """Transform and picture of the volume that is the numberth beside the reference; none without a folder."""
    from training_cli.cohort.matching import stem

    base = f"{number + 2}_{stem(Path(name))}"
    return [] if folder is None else [folder / f"{base}.tfm", folder / f"{base}.png"]


def _registrations(fusion: Fusion, kept: list[dict]) -> list[dict]:
    """What is said of every other volume's place; the transform also as numbers."""
    found = []
    for number, (entry, name) in enumerate(zip(fusion.aligned, fusion.names[1:], strict=True)):
        figures = {"method": "scanner coordinates"} if entry.registration is None else entry.registration.figures()
        covered = float(entry.coverage[fusion.body].mean())
        found.append({"input": name, **figures, "covered": covered, "matrix": _matrix(entry.transform)})
        found[-1].update(kept[number] if kept else {})
    return found


def _matrix(transform: Any) -> list[list[float]]:
    """The affine or rigid transform as rows of a 3 x 4 matrix (LPS, mm)."""
    import numpy as np

    shift = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.array(transform.TransformPoint(tuple(unit))) - shift for unit in np.eye(3)]
    return np.column_stack([*columns, shift]).tolist()


def _tell(fusion: Fusion, figures: dict, seconds: float, output: Path) -> None:
    for entry, name in zip(fusion.aligned, fusion.names[1:], strict=True):
        found = entry.registration
        if found is not None:
            typer.echo(
                f"{name}: moved by {found.translation_mm:.1f} mm and {found.rotation_deg:.1f} degrees ({found.kind}); "
                f"mutual information {found.metric_before:.3f} -> {found.metric:.3f}"
            )
    if figures:
        floors = figures["floors"]
        for key, label in _SHOWN.items():
            values = [entry[key] for entry in (figures, floors["reference"], floors["average"])]
            typer.echo("{}: {:.3f} (reference alone {:.3f}, average {:.3f})".format(label, *values))
    typer.echo(f"{len(fusion.names)} volumes fused ({fusion.method}) in {seconds:.1f} s: {output}")
