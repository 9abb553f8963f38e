"""`sst train`: every field of the training configuration is an option, over an optional YAML file."""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, get_args, get_origin

import typer

from surgical_style_engine.errors import InputError
from training_cli.progress import KINDS
from training_cli.training.config import TrainingConfig, load_config

METAVARS = {int: "<int>", float: "<float>", Path: "<path>"}


def _kind(annotation: Any) -> Any:
    """int for int | None, str for a choice or a list, and so on."""
    if get_origin(annotation) in (Literal, list):
        return str
    arguments = [part for part in get_args(annotation) if part is not type(None)]
    return _kind(arguments[0]) if arguments else annotation


def _signature() -> inspect.Signature:
    parameters = [
        inspect.Parameter(
            "config",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[Optional[Path], typer.Option("--config", help="YAML file with any of the settings")],
        ),
        inspect.Parameter(
            "resume",
            inspect.Parameter.KEYWORD_ONLY,
            default=False,
            annotation=Annotated[bool, typer.Option("--resume", help="go on from the run's last checkpoint")],
        ),
        inspect.Parameter(
            "progress",
            inspect.Parameter.KEYWORD_ONLY,
            default="auto",
            annotation=Annotated[str, typer.Option("--progress", help="auto, json or none")],
        ),
    ]
    for name, field in TrainingConfig.model_fields.items():
        kind = _kind(field.annotation)
        flag = "--" + name.replace("_", "-")
        declaration = f"{flag}/--no-{flag[2:]}" if kind is bool else flag
        default = "" if field.is_required() or field.default in (None, "") else f" [{_shown(field.default)}]"
        choices = f" ({'|'.join(get_args(field.annotation))})" if get_origin(field.annotation) is Literal else ""
        option = typer.Option(
            declaration, help=f"{field.description}{choices}{default}", show_default=False, metavar=METAVARS.get(kind)
        )
        # All but switches come as text, so that the configuration judges them, with one sentence for what is wrong.
        annotation = Annotated[Optional[bool if kind is bool else str], option]
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    return inspect.Signature(parameters)


def _shown(default: Any) -> str:
    return ",".join(default) if isinstance(default, list) else str(default)


def train(**options: Any) -> None:
    """Train a style model on two folders of volumes (or pictures) and write it as a model folder.

    The run folder gets the preprocessed cache, checkpoints, losses.csv, TensorBoard curves, sample pictures and,
    once the budget is used, the model. Ctrl-C saves and exits; --resume goes on.
    """
    path, resume, progress = options.pop("config"), options.pop("resume"), options.pop("progress")
    if progress not in KINDS:
        raise InputError(f"--progress is {', '.join(KINDS[:-1])} or {KINDS[-1]}, not '{progress}'.")
    if isinstance(options.get("trackers"), str):
        options["trackers"] = [part.strip() for part in options["trackers"].split(",") if part.strip()]
    config = load_config(path, options)

    from training_cli.training.loop import train as run_training

    # Under torchrun every process runs this; the first one speaks.
    with TrainingProgress(progress if os.environ.get("RANK", "0") == "0" else "none") as shown:
        summary = run_training(config, resume=resume, bar=shown.update, say=shown.say)
    if not summary.pop("main_process"):
        return
    if summary["finished"]:
        typer.echo(f"Trained {summary['steps']} steps in {summary['minutes']:.1f} min: {summary['model']}")
    elif not summary["saved"]:
        typer.echo("Stopped while preparing the data; the same command goes on from there.")
    else:
        typer.echo(f"Stopped and saved at step {summary['steps']}; go on with --resume.")


class TrainingProgress:
    """A bar with losses and time left on a terminal, JSON lines on request, else a line a per cent, for logs.

    Lines go to stdout, so that stderr holds nothing but the sentence of a failure.
    """

    def __init__(self, kind: str) -> None:
        self.kind = "bar" if kind == "auto" and sys.stderr.isatty() else "lines" if kind == "auto" else kind
        self._bar = None
        self._last_percent = -1

    def __enter__(self) -> TrainingProgress:
        if self.kind == "bar":
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn("step {task.fields[step]}"),
                BarColumn(),
                TextColumn("{task.percentage:.1f}%"),
                TimeElapsedColumn(),
                TextColumn("left {task.fields[left]}"),
                TextColumn("{task.fields[losses]}"),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task("train", total=1.0, step=0, left="?", losses="")
        return self

    def __exit__(self, *_exception) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, line: str) -> None:
        if self.kind == "bar":
            self._bar.console.print(line, highlight=False)
        elif self.kind == "json":
            print(json.dumps({"message": line}), flush=True)
        elif self.kind == "lines":
            print(line, flush=True)

    def update(self, done: float, step: int, losses: dict[str, float], left: float) -> None:
        if self.kind == "json":
            print(json.dumps({"progress": done, "step": step, "seconds_left": left, "losses": losses}), flush=True)
            return
        text = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
        if self.kind == "bar":
            minutes, seconds = divmod(int(left), 60)
            self._bar.update(self._task, completed=done, step=step, left=f"{minutes}:{seconds:02d}", losses=text)
        elif self.kind == "lines" and int(done * 100) > self._last_percent:
            self._last_percent = int(done * 100)
            print(f"{done:6.1%} step {step}, {left / 60:.1f} min left: {text}", flush=True)


train.__signature__ = _signature()  # type: ignore[attr-defined]
train.__annotations__ = {p.name: p.annotation for p in train.__signature__.parameters.values()}  # type: ignore[attr-defined]
