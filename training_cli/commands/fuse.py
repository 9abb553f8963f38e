"""`sst fuse`: several modalities of one patient in one volume."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from surgical_style_engine.errors import InputError
from training_cli.terminal import echo

from .options import ProgressKind, Report, Scheduler, Sessions, Subjects, WorkerMemory, Workers

if TYPE_CHECKING:
    from surgical_style_engine.app.fuse_case import FuseCase, FusedCase
    from surgical_style_engine.models.folder import StyleModel
    from training_cli.cohort.all_or_nothing import Files
    from training_cli.cohort.bids.dataset import Selection
    from training_cli.cohort.command import Spreading
    from training_cli.commands.works.fuse import FuseWork
    from training_cli.progress import Progress

Reference = Annotated[
    Path,
    typer.Argument(help="volume (file or DICOM folder) whose grid the result gets, or folder of volumes (a cohort)"),
]
Others = Annotated[
    Optional[list[Path]],
    typer.Argument(
        metavar="OTHER...", help="other modalities of the same patient, any grids; of a cohort: their folders"
    ),
]
Output = Annotated[
    Path, typer.Argument(help="the fused volume (.nii.gz, .nrrd ...), of a cohort a folder; always the last")
]
Method = Annotated[str, typer.Option("--method", help="pyramid, guided, detail, weighted or learned")]
Model = Annotated[Optional[str], typer.Option("--model", help="learned: folder or name of a model of several inputs")]
Weights = Annotated[
    Optional[str], typer.Option("--weights", help="one number an input, the reference's first: 1,1,0.5")
]
Register = Annotated[
    str, typer.Option("--register", help="auto (rigid unless on the reference's grid), none, rigid or affine")
]
Mask = Annotated[
    Optional[Path],
    typer.Option("--mask", help="labelmap where registration looks and quality is measured; else the body"),
]
Window = Annotated[
    Optional[list[str]],
    typer.Option("--window", help="values of an input that become black and white: NUMBER:LOW:HIGH, 2:-100:300"),
]
Units = Annotated[
    str,
    typer.Option("--units", help="reference: range of the reference (learned: of the target); none: 0 to 1"),
]
Transforms = Annotated[
    Optional[Path],
    typer.Option("--transforms", help="folder for the transforms (.tfm) and pictures of how the inputs lie"),
]
Picture = Annotated[Optional[Path], typer.Option("--picture", help="PNG of inputs and result side by side")]
Quality = Annotated[bool, typer.Option("--quality/--no-quality", help="figures in the report")]
Suffixes = Annotated[
    Optional[list[str]],
    typer.Option(
        "--suffix", help="BIDS: fuse the images of these suffixes, the reference's first; T1w-Gd: with a contrast agent"
    ),
]
LearnedDevice = Annotated[str, typer.Option("--device", help="learned: auto, cpu, cuda, cuda:N or mps")]
LearnedPrecision = Annotated[str, typer.Option("--precision", help="learned: auto, fp32, bf16 or fp16")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="replace an OUTPUT that exists; of a cohort, do all again")
]


def fuse(  # noqa: PLR0913 - a Typer command: one parameter an option
    reference: Reference,
    others: Others = None,
    output: Output = ...,  # type: ignore[assignment]  # Typer's way to say that it is needed
    method: Method = "pyramid",
    model: Model = None,
    weights: Weights = None,
    register: Register = "auto",
    mask: Mask = None,
    window: Window = None,
    units: Units = "reference",
    transforms: Transforms = None,
    picture: Picture = None,
    report: Report = None,
    quality: Quality = True,
    suffix: Suffixes = None,
    subject: Subjects = None,
    session: Sessions = None,
    device: LearnedDevice = "auto",
    precision: LearnedPrecision = "auto",
    overwrite: Overwrite = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    worker_memory: WorkerMemory = None,
    progress: ProgressKind = "auto",
) -> None:
    """Fuse REFERENCE with OTHER... into OUTPUT, on exactly the reference's grid.

    The others are first laid over the reference by mutual information. The result is for looking at: its values are
    no measurements. Where no other volume has voxels, the reference stays as it is. Nothing is written unless
    everything succeeds.
    """
    from training_cli.cohort.bids.dataset import Selection
    from training_cli.cohort.checks import numbers_of
    from training_cli.cohort.command import Spreading
    from training_cli.cohort.tree import is_cohort
    from training_cli.commands.works.fuse import FuseWork, with_model
    from training_cli.progress import Progress

    shown = Progress(progress)
    paths = [reference, *(others or [])]
    places = _Places(output, mask, transforms, picture, report)
    spreading = Spreading(output, overwrite, workers, scheduler, worker_memory)
    is_set = reference.is_dir() and is_cohort(reference)
    if not is_set:
        Selection(suffix[0] if suffix else None, subject, session).check_none(reference)
        places.check(paths, overwrite)
    count = len(suffix) if suffix else len(paths)
    numbers = None if weights is None else numbers_of(weights, "--weights")
    style = _model(method, model, (numbers, window), count)
    asked: dict[str, Any] = {"method": method, "weights": numbers, "windows": _windows(window or [], count)}
    asked |= {"register": register, "units": units, "judge": quality and (is_set or report is not None)}
    run: dict[str, Any] = {"device": device, "precision": precision}
    if is_set:
        chosen = (suffix or [], Selection(None, subject, session))
        _fuse_cohort(with_model(FuseWork(asked, run), style, model), (paths, *chosen), places, spreading, shown)
        return
    _fuse_one({"volumes": paths, "model": style, "mask": mask, "output": output, **asked}, run, places, shown)


def _fuse_one(asked: dict[str, Any], run: dict[str, Any], places: _Places, shown: Progress) -> None:
    """Fuse the volumes of one patient, and write all or nothing; asked: of ``FuseCase``, run: of ``RunOptions``."""
    from surgical_style_engine.app.fuse_case import FuseCase, fuse_case
    from surgical_style_engine.common.run_options import RunOptions
    from training_cli.cohort.all_or_nothing import all_or_nothing
    from training_cli.cohort.checks import told_warnings

    start = time.perf_counter()
    case = FuseCase(options=RunOptions(progress=shown, **run), stage=shown.stage, **asked)
    with shown:
        fused = fuse_case(case)
    with all_or_nothing() as files:
        seconds = _write(places, case, fused, files, start)
    if shown.kind != "json":
        _tell(fused, seconds, places.output)
    told_warnings(fused.warnings)


@dataclass(frozen=True)
class _Places:
    """Where everything is written to; the mask, which is read."""

    output: Path
    mask: Path | None
    transforms: Path | None
    picture: Path | None
    report: Path | None

    def check(self, paths: list[Path], overwrite: bool) -> None:
        """Raise InputError for what cannot be fused, or not be written there."""
        from surgical_style_engine.imageio.write import check_output
        from training_cli.cohort.checks import check_exist, check_folders_of
        from training_cli.cohort.fusion_files import place_files
        from training_cli.cohort.paths import check_outputs, is_same

        if len(paths) < 2:
            raise InputError("Fusion needs at least two modalities and an output: sst fuse REFERENCE OTHER... OUTPUT.")
        check_exist(*paths, self.mask)
        if any(is_same(path, other) for number, path in enumerate(paths) for other in paths[:number]):
            raise InputError("The same volume is given twice; fusion needs different modalities.")
        check_output(self.output)
        if self.picture is not None and self.picture.suffix.lower() != ".png":
            raise InputError(f"The picture {self.picture.name} needs the ending .png.")
        check_folders_of(self.output, self.picture, self.report, self.transforms)
        if self.transforms is not None and self.transforms.exists() and not self.transforms.is_dir():
            raise InputError(f"--transforms needs a folder, and {self.transforms} is a file.")
        placed = [
            file for number, path in enumerate(paths[1:]) for file in place_files(self.transforms, number, path.name)
        ]
        check_outputs([*paths, self.mask], [self.output, self.picture, *placed], self.report)
        # With the output forgotten, the last modality would be taken for it.
        if self.output.exists() and not overwrite:
            raise InputError(f"The output {self.output} exists already; --overwrite replaces it.")


def _fuse_cohort(
    work: FuseWork,
    what: tuple[list[Path], list[str], Selection],
    places: _Places,
    spreading: Spreading,
    shown: Progress,
) -> None:
    """Fuse what of a cohort is missing, changed or failed.

    Args:
        work: What is done.
        what: Folders, the reference's first; suffixes of a data set, and what else is chosen of it.
        places: What is written.
        spreading: Who works.
        shown: Where progress is shown.
    """
    from training_cli.cohort.bids.derivatives import write_about
    from training_cli.cohort.checks import check_exist, check_folders_of, told
    from training_cli.cohort.command import do_cohort, fail_if_any, unless_json, write_cohort_report
    from training_cli.cohort.paths import check_outputs
    from training_cli.cohort.tree import volumes_below
    from training_cli.commands.works.fuse import fuse_dataset_plan, fuse_plan

    begun = time.perf_counter()
    paths, suffixes, selection = what
    check_exist(*paths, places.mask)
    check_folders_of(places.output, places.report)
    if places.transforms is not None or places.picture is not None:
        raise InputError("--transforms and --picture are for one patient, not for a cohort.")
    dataset = None
    if suffixes or selection.is_any:
        planned, dataset = fuse_dataset_plan(paths, suffixes, selection, places.output, places.mask)
    elif len(paths) < 2:
        raise InputError("Fusion needs at least two folders and an output: sst fuse REFERENCE OTHER... OUTPUT.")
    else:
        planned = fuse_plan(volumes_below(paths[0], leave_out=[places.output]), paths[1:], places.output, places.mask)
    read = [path for task in planned.tasks for path in task.inputs]
    check_outputs(read, [path for task in planned.tasks for path in task.outputs], places.report)
    told(planned.told)
    with shown:
        title = f"Fusion of {len(suffixes) or len(paths)} modalities ({work.asked['method']})"
        result = do_cohort(
            work,
            planned.tasks,
            spreading,
            shown,
            title,
            unless_json(shown, lambda entry: f"{entry['output']}: fused in {entry['seconds']:.1f} s"),
            planned.problems,
        )
    if dataset is not None:
        how = f"Fuses {', '.join(suffixes)} of every visit ({work.asked['method']}); the first has the grid."
        write_about(dataset, f"Fused {' and '.join(suffixes)}", how, places.output)
    if places.report is not None:
        write_cohort_report(places.report, result, time.perf_counter() - begun, fusion={"method": work.asked["method"]})
    fail_if_any(work, result, planned.problems)


def _model(method: str, name: str | None, unused: tuple[Any, Any], count: int) -> StyleModel | None:
    """The model of a learned fusion, else None; raises InputError where the options do not go together.

    Args:
        method: "learned", or a rule.
        name: folder or name of the model.
        unused: the options that have no meaning with a model: weights, and windows.
        count: of the volumes.
    """
    if method != "learned":
        if name is not None:
            raise InputError("--model goes with --method learned.")
        return None
    if name is None:
        raise InputError("--method learned needs --model, a model of several inputs.")
    weights, window = unused
    if weights is not None or window:
        raise InputError("--weights and --window have no meaning with --method learned: the model decides.")
    from surgical_style_engine.fusion.learned import check_inputs
    from surgical_style_engine.models.card import read_card
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.models.names import find_model

    check_inputs(read_card(find_model(name)), count)
    return load_model(name)


def _windows(texts: list[str], count: int) -> list[Any]:
    """A normalisation an input, None where none is given."""
    from surgical_style_engine.volumes.normalization import parse_normalization

    windows: list[Any] = [None] * count
    for text in texts:
        parts = text.split(":")
        try:
            number, low, high = int(parts[0]), float(parts[1]), float(parts[2])
        except (ValueError, IndexError):
            raise InputError(f"--window is NUMBER:LOW:HIGH, such as 2:-100:300, not '{text}'.") from None
        if len(parts) != 3 or not 1 <= number <= count:
            raise InputError(f"--window '{text}' names none of the inputs 1 (the reference) to {count}.")
        windows[number - 1] = parse_normalization({"kind": "hu_window", "lower": low, "upper": high})
    return windows


def _write(places: _Places, case: FuseCase, fused: FusedCase, files: Files, start: float) -> float:
    """Write everything that was asked for, the report last; the seconds so far."""
    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.imageio.write import write_volume
    from training_cli.cohort.fusion_files import registrations, save_picture, write_places

    fusion = fused.fusion
    placed = []
    if places.transforms is not None:
        placed = write_places(places.transforms, fused.reference, fusion, files)
    if places.picture is not None:
        save_picture(files.add(places.picture), fused.reference, {fusion.method: fusion}, fused.quality)
    write_volume(fusion.volume, files.add(places.output), fused.notes)
    seconds = time.perf_counter() - start
    if places.report is not None:
        report = new_report(
            inputs=list(case.volumes),
            output=places.output,
            device="cpu",
            precision="fp32",
            seconds=seconds,
            slices=fusion.volume.array.shape[1],
            quality=fused.quality,
            warnings=fused.warnings,
            synthetic=True,
            units=fusion.units,
            model=None if case.model is None else _model_entry(case.model),
            fusion={
                "method": fusion.method,
                "weights": fusion.weights,
                "picture": places.picture,
                "mask": places.mask,
                "registrations": registrations(fusion, placed),
            },
        )
        write_report(files.add(places.report), report)
    return seconds


def _model_entry(style: StyleModel) -> dict[str, Any]:
    from surgical_style_engine.app.report_entries import model_entry

    return {**model_entry(style, "forward"), "inputs": [part.name for part in style.card.domains.source.inputs]}


def _tell(fused: FusedCase, seconds: float, output: Path) -> None:
    from training_cli.cohort.fusion_files import shown_lines

    fusion = fused.fusion
    for entry, name in zip(fusion.aligned, fusion.names[1:], strict=True):
        registration = entry.registration
        if registration is not None:
            echo(
                f"{name}: moved by {registration.translation_mm:.1f} mm and {registration.rotation_deg:.1f} degrees "
                f"({registration.kind}); mutual information {registration.metric_before:.3f} -> "
                f"{registration.metric:.3f}"
            )
    for label, values in shown_lines(fused.quality):
        echo(f"{label}: {values}")
    echo(f"{len(fusion.names)} volumes fused ({fusion.method}) in {seconds:.1f} s: {output}")
