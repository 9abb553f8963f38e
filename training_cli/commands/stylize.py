"""`sst stylize`: a volume or picture in the style of a painting, by optimisation; nothing has to be trained."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from surgical_style_engine.errors import InputError

if TYPE_CHECKING:
    from surgical_style_engine.inference.stylize import Stylization
    from surgical_style_engine.models.style_settings import StyleSettings

PLANES = ("axial", "coronal", "sagittal")
KINDS = ("auto", "vgg19", "random")


def stylize(
    content: Annotated[Path, typer.Argument(help="volume, DICOM folder or picture")],
    output: Annotated[Path, typer.Argument(help="file to write, on exactly CONTENT's grid")],
    style: Annotated[Path, typer.Option("--style", help="the picture whose style is wanted (.png, .jpg, .tif)")],
    colour: Annotated[
        str, typer.Option("--colour", help="rgb (the picture's colours) or luminance (its texture, in CONTENT's units)")
    ] = "rgb",
    features: Annotated[
        str, typer.Option("--features", help="auto, vgg19, random, or a file of torchvision's VGG-19 weights")
    ] = "auto",
    download_features: Annotated[
        bool, typer.Option("--download-features", help="fetch VGG-19's weights (548 MB), once")
    ] = False,
    steps: Annotated[int, typer.Option("--steps", help="evaluations of the loss for the first slice")] = 100,
    neighbour_steps: Annotated[
        int, typer.Option("--neighbour-steps", help="for the others, which begin from their neighbour")
    ] = 25,
    optimizer: Annotated[str, typer.Option("--optimizer", help="lbfgs or adam")] = "lbfgs",
    schedule: Annotated[str, typer.Option("--schedule", help="multiscale (coarse to fine) or single")] = "multiscale",
    content_weight: Annotated[float, typer.Option("--content-weight", help="weight of the content")] = 1.0,
    style_weight: Annotated[float, typer.Option("--style-weight", help="weight of the style")] = 30.0,
    variation_weight: Annotated[float, typer.Option("--variation-weight", help="weight of smoothness")] = 5.0,
    consistency_weight: Annotated[
        float, typer.Option("--consistency-weight", help="weight of keeping to the neighbouring slice")
    ] = 20.0,
    layer: Annotated[
        Optional[list[str]], typer.Option("--layer", help="NAME:WEIGHT of a style layer, e.g. conv3_1:0.5; repeatable")
    ] = None,
    brush: Annotated[float, typer.Option("--brush", help="size of the strokes; 1 suits most pictures")] = 1.0,
    size: Annotated[
        Optional[int], typer.Option("--size", help="longest side to work at; smaller is faster (default: CONTENT's)")
    ] = None,
    background: Annotated[str, typer.Option("--background", help="keep the air around the body, or style it")] = "keep",
    plane: Annotated[str, typer.Option("--plane", help="axial, coronal, sagittal, or all (averaged)")] = "axial",
    window: Annotated[
        Optional[tuple[float, float]],
        typer.Option("--window", help="values that become black and white, e.g. -160 240 for CT"),
    ] = None,
    strength: Annotated[float, typer.Option("--strength", help="0 is the input, 1 the whole style")] = 1.0,
    mask: Annotated[Optional[Path], typer.Option("--mask", help="labelmap; outside it the input stays")] = None,
    seed: Annotated[int, typer.Option("--seed", help="of the random features")] = 0,
    compare_flicker: Annotated[
        bool, typer.Option("--compare-flicker", help="also run every slice by itself and report both (slow)")
    ] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps")] = "auto",
    report: Annotated[Optional[Path], typer.Option("--report", help="JSON report with the quality figures")] = None,
    progress: Annotated[str, typer.Option("--progress", help="auto, json or none")] = "auto",
) -> None:
    """Give CONTENT the style of a picture and write OUTPUT (Gatys et al., CVPR 2016).

    Every slice begins from its neighbour's result, so that a volume does not flicker. The result is a synthetic image:
    its header says so.
    """
    _check(content, output, style, mask, report, plane)
    from surgical_style_engine.app.report import new_report, write_report
    from surgical_style_engine.common.torch_presence import check_torch
    from surgical_style_engine.imageio.style_picture import as_bytes, read_picture
    from surgical_style_engine.imageio.volume_io import check_output, read_volume, write_volume
    from surgical_style_engine.metrics import quality_of
    from surgical_style_engine.models.provenance import synthetic_notes
    from surgical_style_engine.models.style_settings import parse_settings
    from surgical_style_engine.volumes.file_warnings import file_warnings
    from training_cli.cohort.matching import left_out, stem
    from training_cli.progress import Progress

    begun = time.perf_counter()
    shown = Progress(progress)
    kind, file = _features(features)
    settings = parse_settings(
        {
            "colour": colour,
            "features": kind,
            "steps": steps,
            "neighbour_steps": neighbour_steps,
            "optimizer": optimizer,
            "schedule": schedule,
            "content_weight": content_weight,
            "style_weight": style_weight,
            "variation_weight": variation_weight,
            "consistency_weight": consistency_weight,
            "layers": _layers(layer),
            "brush": brush,
            "size": size,
            "background": background,
            "seed": seed,
        }
    )
    picture = read_picture(style)
    volume = read_volume(content)
    check_output(output, volume)
    region = None if mask is None else read_volume(mask)

    check_torch("A style picture")
    from surgical_style_engine.inference.stylize import stylize_volume

    if get_features(kind, file, download_features) == "random" and kind == "auto":
        settings = settings.model_copy(update={"features": "random"})
    with shown:
        shown.stage(f"stylising {content.name}")
        done = stylize_volume(
            volume,
            picture,
            settings,
            style_name=stem(style),
            planes=list(PLANES) if plane == "all" else [plane],
            window=window,
            strength=strength,
            mask=region,
            device=device,
            features_file=file,
            compare_independent=compare_flicker,
            progress=shown,
        )
        made = done.translation
        figures: dict[str, Any] = {}
        if report is not None:
            shown.stage(f"judging {content.name}")
            figures = quality_of(volume, done.model, made, mask=region, with_cycle=False)
    figures |= done.figures
    warnings = [*left_out(content), *made.warnings, *file_warnings(region)]
    digest = _digest(style)
    notes = synthetic_notes(done.model.card, "forward", strength) | {"StyleModelSHA256": digest}
    # Colours as viewers know them.
    coloured = made.volume.channels == 3
    result = made.volume.with_array(as_bytes(made.volume.array / 255)) if coloured else made.volume
    write_volume(result, output, notes)
    if report is not None:
        write_report(
            report,
            new_report(
                inputs=content,
                output=output,
                model=_entry(done, settings, style, digest),
                device=made.device,
                backend=made.backend,
                precision=made.precision,
                seconds=time.perf_counter() - begun,
                slices=made.slices,
                quality=figures,
                warnings=warnings,
                synthetic=True,
                mask=mask,
                plane=plane,
                strength=strength,
                units="RGB, 0 to 255" if coloured else "the input's",
            ),
        )
    if progress != "json":
        _tell(done, output)
    for sentence in warnings:
        typer.echo(f"Warning: {sentence}", err=True)


def get_features(kind: str, file: Path | None, download: bool) -> str:
    """Have VGG-19 at hand where it is wanted and may be fetched; returns "vgg19" or "random". Raises InputError.

    Nothing is downloaded without --download-features or a yes at a terminal.
    """
    from surgical_style_engine.stylize.features import MEGABYTES, URL, cached_weights, download_features, pick_features

    if kind == "random" or file is not None:
        return pick_features(kind, file)
    if not cached_weights().is_file():
        asked = sys.stdin.isatty() and sys.stderr.isatty()
        if download or asked and typer.confirm(f"Download VGG-19 ({MEGABYTES} MB) from {URL}?", err=True):
            download_features()
    return pick_features(kind, file)


def _features(text: str) -> tuple[str, Path | None]:
    """(kind, file): a word, or the path of a file."""
    if text in KINDS:
        return text, None
    path = Path(text)
    if not path.is_file():
        raise InputError(f"--features is auto, vgg19, random or a file of VGG-19's weights, and {text} is no file.")
    return "vgg19", path


def _check(content: Path, output: Path, style: Path, mask: Path | None, report: Path | None, plane: str) -> None:
    from surgical_style_engine.imageio.volume_io import check_output
    from training_cli.cohort.paths import check_outputs

    for path, what in ((content, "content"), (style, "style picture"), (mask, "mask")):
        if path is not None and not path.exists():
            raise InputError(f"The {what} {path} does not exist.")
    for path in (output, report):
        if path is not None and not path.absolute().parent.is_dir():
            raise InputError(f"The folder {path.absolute().parent} does not exist.")
    if plane not in (*PLANES, "all"):
        raise InputError(f"--plane is {', '.join(PLANES)} or all, not '{plane}'.")
    check_output(output)
    check_outputs([content, style, mask], [output], report)


def _layers(texts: list[str] | None) -> dict[str, float] | None:
    if not texts:
        return None
    found = {}
    for text in texts:
        name, _, weight = text.partition(":")
        try:
            found[name] = float(weight)
        except ValueError:
            raise InputError(f"--layer is NAME:WEIGHT, such as conv3_1:0.5, not '{text}'.") from None
    return found


def _digest(path: Path) -> str:
    from surgical_style_engine.models.weights import sha256_of

    return sha256_of(path)


def _entry(done: Stylization, settings: StyleSettings, style: Path, digest: str) -> dict[str, Any]:
    """What the report says of the style in the place of a model."""
    card = done.model.card
    return {
        "name": card.name,
        "title": card.title,
        "direction": "forward",
        "from": card.domains.source.name,
        "to": card.domains.target.name,
        "sha256": digest,
        "intended_use": card.intended_use,
        "style": style,
        "features": done.figures["features"],
        "settings": settings.model_dump(),
    }


def _tell(done: Stylization, output: Path) -> None:
    figures, made = done.figures, done.translation
    each = f", {figures['seconds_per_slice']:.1f} s each" if made.slices else ""
    typer.echo(
        f"{output}: {made.slices} slices in the style of {done.model.card.domains.target.name} in {made.seconds:.1f} s"
        f"{each} (synthetic; features: {figures['features']})"
    )
    if figures.get("flicker") is not None:
        others = [f"the input's own {figures['flicker_content']:.4f}"]
        if figures.get("flicker_independent") is not None:
            others.append(f"slices by themselves {figures['flicker_independent']:.4f}")
        typer.echo(f"Flicker from slice to slice: {figures['flicker']:.4f} ({', '.join(others)})")
