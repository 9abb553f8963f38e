"""`sst adapt`: a style fine-tuned on a user's own pairs or volumes, refused if it is not better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from training_cli.commands.options import Direction, ProgressKind

if TYPE_CHECKING:
    from surgical_style_engine.volumes.volume import Volume

    from .adapt import AdaptResult

Model = Annotated[str, typer.Argument(metavar="MODEL", help="style to begin with: a name, or a model folder")]
Sources = Annotated[
    list[Path], typer.Option("--source", help="volume of the domain that the style starts in; up to five times")
]
Targets = Annotated[
    list[Path], typer.Option("--target", help="volume of the domain that it ends in; of a pair in the same order")
]
Name = Annotated[str, typer.Option("--out", metavar="NAME", help="name of the new style")]
Title = Annotated[str, typer.Option("--title", help="title of the new style; the style's own and 'adapted' if empty")]
Folder = Annotated[
    Optional[Path], typer.Option("--folder", help="folder of models to write it to; your own if not given")
]
Minutes = Annotated[float, typer.Option("--minutes", help="of training")]
Steps = Annotated[Optional[int], typer.Option("--steps", min=1, help="of training, in place of minutes")]
Unpaired = Annotated[
    bool, typer.Option("--unpaired", help="the volumes are of different patients, or do not lie on each other")
]
Register = Annotated[bool, typer.Option("--register", help="lay each pair's target over its source first, rigidly")]
TrainDevice = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps")]
Report = Annotated[Optional[Path], typer.Option("--report", help="JSON report with the figures of both styles")]


def adapt(  # noqa: PLR0913 - a Typer command: one parameter an option
    model: Model,
    source: Sources,
    target: Targets,
    out: Name,
    title: Title = "",
    folder: Folder = None,
    minutes: Minutes = 10.0,
    steps: Steps = None,
    unpaired: Unpaired = False,
    register: Register = False,
    direction: Direction = "forward",
    device: TrainDevice = "auto",
    report: Report = None,
    progress: ProgressKind = "auto",
) -> None:
    """Fine-tune the style MODEL on one to five of your own pairs, or unpaired volumes.

    A part is kept aside: of one pair a range of slices, of several the last. Only a style that is better there than
    MODEL is written, as one of your own; else nothing is, and the exit code is not 0.
    """
    from surgical_style_engine.errors import InputError
    from surgical_style_engine.models.folder import load_model
    from training_cli.cohort.checks import check_exist
    from training_cli.progress import Progress

    from .adapt import Watcher
    from .adapt import adapt as run
    from .request import AdaptRequest

    with Progress(progress) as shown:
        check_exist(*source, *target)
        if report is not None and report.suffix.lower() != ".json":
            raise InputError("The report's name must end with .json.")
        loaded = load_model(model)
        request = AdaptRequest(
            model=loaded,
            name=out,
            sources=[_read(path) for path in source],
            targets=[_read(path) for path in target],
            direction=loaded.check_direction(direction),
            paired=not unpaired,
            register=register,
            minutes=minutes,
            steps=steps,
            title=title,
            folder=folder,
            device=device,
        )
        result = run(
            request,
            Watcher(
                say=lambda line: shown.stage(line) if shown.kind == "json" else None,
                progress=lambda stage, share, left: _show(shown, stage, share),
            ),
        )
    _tell(result, report)


def _show(shown: object, stage: str, share: float) -> None:
    """Named once when a stage begins; then its share, in thousandths."""
    from training_cli.progress import Progress

    assert isinstance(shown, Progress)
    if share == 0:
        shown.stage({"prepare": "preparing", "train": "training", "prove": "judging"}[stage])
    else:
        shown(round(share * 1000), 1000)


def _read(path: Path) -> Volume:
    from surgical_style_engine.imageio.read import read_volume

    return read_volume(path)


def _tell(result: AdaptResult, report: Path | None) -> None:
    from surgical_style_engine.common.atomic_write import replacing
    from training_cli.terminal import echo

    for warning in result.warnings:
        echo(f"Warning: {warning}")
    for direction, proof in result.proofs.items():
        kept = f" ({proof.why_not}: this direction keeps the weights it had)" if proof.why_not else ""
        echo(f"{direction}: {proof.text()}{kept}")
    echo(f"Adapted in {result.minutes:.1f} min and {result.steps} steps: {result.folder}")
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        with replacing(report) as temporary:
            temporary.write_text(json.dumps(result.entry(), indent=2) + "\n", encoding="utf-8")
