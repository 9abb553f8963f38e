"""`sst stylize`: a volume or picture in the style of a painting, by optimisation; nothing has to be trained."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from surgical_style_engine.errors import InputError
from training_cli.terminal import echo

from .options import (
    Device,
    Overwrite,
    Pattern,
    ProgressKind,
    Report,
    Scheduler,
    Sessions,
    Subjects,
    Suffix,
    WorkerMemory,
    Workers,
)

if TYPE_CHECKING:
    from surgical_style_engine.app.stylize_case import StylizeCase, StylizedCase
    from surgical_style_engine.models.style_settings import StyleSettings
    from training_cli.cohort.bids.dataset import Selection
    from training_cli.cohort.command import Spreading

Content = Annotated[Path, typer.Argument(help="volume, DICOM folder or picture, or folder of volumes (a cohort)")]
Output = Annotated[Path, typer.Argument(help="file to write, on exactly CONTENT's grid; for a cohort, a folder")]
Style = Annotated[Path, typer.Option("--style", help="the picture whose style is wanted (.png, .jpg, .tif)")]
Colour = Annotated[
    str, typer.Option("--colour", help="rgb (the picture's colours) or luminance (its texture, in CONTENT's units)")
]
Features = Annotated[
    str,
    typer.Option(
        "--features", help="auto, vgg19, vgg16, vgg16-torchvision, hed, random, or a file of such a network's weights"
    ),
]
DownloadFeatures = Annotated[
    bool,
    typer.Option("--download-features", help="fetch the features' weights once (with auto, VGG-16's, 61 MB)"),
]
Steps = Annotated[int, typer.Option("--steps", help="evaluations of the loss for the first slice")]
NeighbourSteps = Annotated[
    int, typer.Option("--neighbour-steps", help="for the others, which begin from their neighbour")
]
Optimizer = Annotated[str, typer.Option("--optimizer", help="lbfgs or adam")]
Schedule = Annotated[str, typer.Option("--schedule", help="multiscale (coarse to fine) or single")]
ContentWeight = Annotated[float, typer.Option("--content-weight", help="weight of the content")]
StyleWeight = Annotated[float, typer.Option("--style-weight", help="weight of the style")]
VariationWeight = Annotated[float, typer.Option("--variation-weight", help="weight of smoothness")]
ConsistencyWeight = Annotated[
    float, typer.Option("--consistency-weight", help="weight of keeping to the neighbouring slice")
]
Layers = Annotated[
    Optional[list[str]], typer.Option("--layer", help="NAME:WEIGHT of a style layer, e.g. conv3_1:0.5; repeatable")
]
Brush = Annotated[float, typer.Option("--brush", help="size of the strokes; 1 suits most pictures")]
Size = Annotated[
    Optional[int], typer.Option("--size", help="longest side to work at; smaller is faster (default: CONTENT's)")
]
Background = Annotated[str, typer.Option("--background", help="keep the air around the body, or style it")]
Plane = Annotated[str, typer.Option("--plane", help="axial, coronal, sagittal, or all (averaged)")]
Window = Annotated[
    Optional[tuple[float, float]],
    typer.Option("--window", help="values that become black and white, e.g. -160 240 for CT"),
]
Strength = Annotated[float, typer.Option("--strength", help="0 is the input, 1 the whole style")]
Mask = Annotated[Optional[Path], typer.Option("--mask", help="labelmap; outside it the input stays")]
Seed = Annotated[int, typer.Option("--seed", help="of the random features")]
CompareFlicker = Annotated[
    bool, typer.Option("--compare-flicker", help="also run every slice by itself and report both (slow)")
]


def stylize(  # noqa: PLR0913 - a Typer command: one parameter an option
    content: Content,
    output: Output,
    style: Style,
    colour: Colour = "rgb",
    features: Features = "auto",
    download_features: DownloadFeatures = False,
    steps: Steps = 100,
    neighbour_steps: NeighbourSteps = 25,
    optimizer: Optimizer = "lbfgs",
    schedule: Schedule = "multiscale",
    content_weight: ContentWeight = 1.0,
    style_weight: StyleWeight = 30.0,
    variation_weight: VariationWeight = 5.0,
    consistency_weight: ConsistencyWeight = 20.0,
    layer: Layers = None,
    brush: Brush = 1.0,
    size: Size = None,
    background: Background = "keep",
    plane: Plane = "axial",
    window: Window = None,
    strength: Strength = 1.0,
    mask: Mask = None,
    seed: Seed = 0,
    compare_flicker: CompareFlicker = False,
    device: Device = "auto",
    report: Report = None,
    pattern: Pattern = "*",
    suffix: Suffix = None,
    subject: Subjects = None,
    session: Sessions = None,
    overwrite: Overwrite = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    worker_memory: WorkerMemory = None,
    progress: ProgressKind = "auto",
) -> None:
    """Give CONTENT the style of a picture and write OUTPUT (Gatys et al., CVPR 2016).

    Every slice begins from its neighbour's result, against flicker. The result is synthetic, as its header says.
    """
    from training_cli.cohort.bids.dataset import Selection
    from training_cli.cohort.command import Spreading
    from training_cli.cohort.tree import is_cohort

    kind, file = _features(features)
    values: dict[str, Any] = {"colour": colour, "features": kind, "steps": steps, "neighbour_steps": neighbour_steps}
    values |= {"optimizer": optimizer, "schedule": schedule, "layers": _layers(layer), "brush": brush, "size": size}
    values |= {"content_weight": content_weight, "style_weight": style_weight, "variation_weight": variation_weight}
    values |= {"consistency_weight": consistency_weight, "background": background, "seed": seed}
    how = {"strength": strength, "features_file": file, "compare_independent": compare_flicker, "window": window}
    selection = Selection(suffix, subject, session)
    if content.is_dir() and is_cohort(content):
        spreading = Spreading(output, overwrite, workers, scheduler, worker_memory)
        places = _Places(content, style, mask, report, pattern, spreading, selection)
        _run_cohort(places, how, values, (plane, device), download_features, progress)
        return
    _check(content, output, style, mask, report, plane, selection)
    where = {"content": content, "output": output, "picture": style, "mask": mask}
    _run({**where, **how}, values, (plane, device), download_features, report, progress)


@dataclass(frozen=True)
class _Places:
    """What a run over a cohort reads and writes, and who works on it."""

    content: Path
    picture: Path
    mask: Path | None
    report: Path | None
    pattern: str
    spreading: Spreading
    selection: Selection


def _run_cohort(
    places: _Places,
    how: dict[str, Any],
    values: dict[str, Any],
    run: tuple[str, str],
    download: bool,
    progress: str,
) -> None:
    """Stylise what of a cohort is missing, changed or failed. values: of the settings; run: plane and device."""
    from surgical_style_engine.models.style_settings import parse_settings
    from training_cli.cohort import checks
    from training_cli.cohort.bids.choice import chosen
    from training_cli.cohort.bids.derivatives import write_about
    from training_cli.cohort.command import do_cohort, fail_if_any, unless_json, write_cohort_report
    from training_cli.cohort.matching import stem
    from training_cli.cohort.paths import check_outputs
    from training_cli.cohort.plan import plan
    from training_cli.commands.works.stylize import StylizeWork
    from training_cli.commands.works.translate import translate_tasks
    from training_cli.progress import Progress

    begun, shown = time.perf_counter(), Progress(progress)
    checks.check_exist(places.picture)
    checks.check_folders_of(places.report)
    checks.check_plane(run[0])
    output, name = places.spreading.output, stem(places.picture)
    bids = chosen(places.content, places.selection)
    planned = (
        plan(places.content, output, places.pattern, places.mask)
        if bids is None
        else bids.plan(name, output, places.mask)
    )
    read = [path for job in planned.jobs for path in (job.source, job.mask)]
    check_outputs([*read, places.picture], [job.output for job in planned.jobs], places.report)
    checks.told(planned.paired)
    settings = parse_settings(values)
    features = get_features(settings.features, how["features_file"], download)
    settings = settings.model_copy(update={"features": features})
    how["features_file"] = how["features_file"] and how["features_file"].absolute()
    common = {**how, "picture": places.picture.absolute(), "style_name": name}
    work = StylizeWork({**common, "judge": True}, settings, *run)
    with shown:
        result = do_cohort(
            work,
            translate_tasks(planned.jobs),
            places.spreading,
            shown,
            f"In the style of {name}",
            unless_json(shown, _line),
            planned.problems,
        )
    if bids is not None:
        write_about(bids.dataset, f"In the style of {name}", f"Gives images the style of the picture {name}.", output)
    if places.report is not None:
        first = next(iter(result.entries()), {})
        write_cohort_report(places.report, result, time.perf_counter() - begun, model=first.get("model"), plane=run[0])
    fail_if_any(work, result, planned.problems)


def _line(entry: dict[str, Any]) -> str:
    return f"{entry['output']}: {entry['slices']} slices in {entry['seconds']:.1f} s (synthetic)"


def _run(
    asked: dict[str, Any],
    values: dict[str, Any],
    run: tuple[str, str],
    download: bool,
    report: Path | None,
    progress: str,
) -> None:
    """Stylise, report and print. values: of the settings; run: plane and device."""
    from surgical_style_engine.app.stylize_case import StylizeCase, stylize_case
    from surgical_style_engine.common.run_options import RunOptions
    from surgical_style_engine.models.style_settings import parse_settings
    from training_cli.cohort.checks import planes_of, told_warnings
    from training_cli.cohort.matching import stem
    from training_cli.progress import Progress

    plane, device = run
    shown = Progress(progress)
    settings = parse_settings(values)

    def complete(settings: StyleSettings) -> StyleSettings:
        features = get_features(settings.features, asked["features_file"], download)
        return settings.model_copy(update={"features": features})

    with shown:
        case = StylizeCase(
            **asked,
            style_name=stem(asked["picture"]),
            settings=settings,
            complete=complete,
            judge=report is not None,
            options=RunOptions(device=device, planes=planes_of(plane), progress=shown),
            stage=shown.stage,
        )
        stylized = stylize_case(case)
    if report is not None:
        _write_report(report, case, stylized, plane)
    if progress != "json":
        _tell(stylized, asked["output"])
    told_warnings(stylized.warnings)


def _write_report(report: Path, case: StylizeCase, stylized: StylizedCase, plane: str) -> None:
    from surgical_style_engine.app.report import new_report, write_report

    translation = stylized.stylization.translation
    write_report(
        report,
        new_report(
            inputs=case.content,
            output=case.output,
            model=stylized.model_entry(case.picture),
            device=translation.device,
            backend=translation.backend,
            precision=translation.precision,
            seconds=stylized.seconds,
            slices=translation.slices,
            quality=stylized.quality,
            warnings=stylized.warnings,
            synthetic=True,
            mask=case.mask,
            plane=plane,
            strength=case.strength,
            units=stylized.units,
        ),
    )


def get_features(kind: str, file: Path | None, download: bool) -> str:
    """Have a pretrained network at hand where it is wanted and may be fetched; returns what is used.

    Nothing is downloaded without --download-features or a yes at a terminal. Raises InputError, StyleTransferError.
    """
    from surgical_style_engine.stylize.features import pick_features
    from surgical_style_engine.stylize.fetch import fetch_features
    from surgical_style_engine.stylize.published import PRETRAINED, SUGGESTED, best_at_hand, is_at_hand

    if kind == "random" or file is not None:
        return pick_features(kind, file)
    if not (best_at_hand() if kind == "auto" else is_at_hand(kind)):
        published = SUGGESTED if kind == "auto" else PRETRAINED[kind]
        question = f"Download {published.title} ({published.megabytes} MB, {published.licence}) from {published.where}?"
        can_answer = sys.stdin.isatty() and sys.stderr.isatty()
        if download or (can_answer and typer.confirm(question, err=True)):
            echo(fetch_features(published.name).sentence, err=True)
    return pick_features(kind, file)


def _features(text: str) -> tuple[str, Path | None]:
    """(kind, file): a word, or the path of a file."""
    from surgical_style_engine.models.style_settings import FEATURES

    if text in FEATURES:
        return text, None
    path = Path(text)
    if not path.is_file():
        kinds = ", ".join(FEATURES)
        raise InputError(f"--features is {kinds} or a file of such a network's weights, and {text} is no file.")
    return "auto", path


def _check(
    content: Path,
    output: Path,
    style: Path,
    mask: Path | None,
    report: Path | None,
    plane: str,
    selection: Selection,
) -> None:
    from surgical_style_engine.imageio.write import check_output
    from training_cli.cohort import checks
    from training_cli.cohort.paths import check_outputs

    selection.check_none(content)
    for path, what in ((content, "content"), (style, "style picture"), (mask, "mask")):
        if path is not None and not path.exists():
            raise InputError(f"The {what} {path} does not exist.")
    checks.check_folders_of(output, report)
    checks.check_plane(plane)
    check_output(output)
    check_outputs([content, style, mask], [output], report)


def _layers(texts: list[str] | None) -> dict[str, float] | None:
    if not texts:
        return None
    weights = {}
    for text in texts:
        name, _, weight = text.partition(":")
        try:
            weights[name] = float(weight)
        except ValueError:
            raise InputError(f"--layer is NAME:WEIGHT, such as conv3_1:0.5, not '{text}'.") from None
    return weights


def _tell(stylized: StylizedCase, output: Path) -> None:
    figures, translation = stylized.stylization.figures, stylized.stylization.translation
    style = stylized.stylization.model.card.domains.target.name
    each = f", {figures['seconds_per_slice']:.1f} s each" if translation.slices else ""
    echo(
        f"{output}: {translation.slices} slices in the style of {style} in {translation.seconds:.1f} s"
        f"{each} (synthetic; features: {figures['features']})"
    )
    if figures.get("flicker") is not None:
        others = [f"the input's own {figures['flicker_content']:.4f}"]
        if figures.get("flicker_independent") is not None:
            others.append(f"slices by themselves {figures['flicker_independent']:.4f}")
        echo(f"Flicker from slice to slice: {figures['flicker']:.4f} ({', '.join(others)})")
