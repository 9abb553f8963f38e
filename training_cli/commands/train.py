"""`sst train`: every setting of the training configuration is an option, over an optional YAML file."""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from surgical_style_engine.errors import InputError
from training_cli.progress import KINDS
from training_cli.terminal import echo
from training_cli.training.config import load_config
from training_cli.training.config.many_domains import joined_domains
from training_cli.training.config.options import setting_options
from training_cli.training.config.read import settings_of_run

if TYPE_CHECKING:
    from rich.progress import Progress


def __getattr__(name: str) -> Any:
    """``train``, with an option for every setting of the methods that are registered at that time."""
    if name == "train":
        return _with_options(_train)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _with_options(function: Callable[..., None]) -> Callable[..., None]:
    """The function with what Typer reads: a signature that has the options of the configuration too."""

    @functools.wraps(function)
    def command(**options: Any) -> None:
        function(**options)

    own = [parameter for parameter in inspect.signature(function, eval_str=True).parameters.values()]
    parameters = [parameter for parameter in own if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
    parameters += setting_options()
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _train(
    *,
    config: Annotated[Optional[Path], typer.Option(help="YAML file with any of the settings")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the run's last checkpoint")] = False,
    progress: Annotated[str, typer.Option(help="auto, json or none")] = "auto",
    domain: Annotated[
        Optional[list[str]],
        typer.Option("--domain", metavar="NAME=DIR", help="multi-domain, many-to-one: a folder of volumes; for each"),
    ] = None,
    **settings: Any,
) -> None:
    """Train a style model on two folders of volumes (or pictures) and write it as a model folder.

    The run folder gets the preprocessed cache, checkpoints, losses.csv, TensorBoard curves, sample pictures and,
    once the budget is used, the model. Ctrl-C saves and exits; --resume goes on, with --output alone as it began.
    """
    if progress not in KINDS:
        raise InputError(f"--progress is {', '.join(KINDS[:-1])} or {KINDS[-1]}, not '{progress}'.")
    if resume and config is None and settings.get("source") is None and settings.get("output"):
        settings = settings_of_run(Path(settings["output"]), settings)
    elif config is None and settings.get("preset") is None:
        # What stands in a file means what it says; here the hardware decides what is not given.
        settings["preset"] = "auto"
    if domain:
        settings["domains"] = joined_domains(domain)
    configuration = load_config(config, settings)

    from training_cli.training.loop import train as run_training

    # Under torchrun every process runs this; the first one speaks.
    with TrainingProgress(progress if os.environ.get("RANK", "0") == "0" else "none") as shown:
        summary = run_training(configuration, resume=resume, bar=shown.update, say=shown.say)
    if not summary.pop("main_process"):
        return
    if summary["finished"]:
        echo(f"Trained {summary['steps']} steps in {summary['minutes']:.1f} min: {summary['model']}")
    elif not summary["saved"]:
        echo("Stopped while preparing the data; the same command goes on from there.")
    else:
        echo(f"Stopped and saved at step {summary['steps']}; go on with --resume.")


class TrainingProgress:
    """A bar with losses and time left on a terminal, JSON lines on request, else a line a per cent, for logs.

    Lines go to stdout, so that stderr holds nothing but the sentence of a failure.
    """

    def __init__(self, kind: str) -> None:
        self.kind = "bar" if kind == "auto" and sys.stderr.isatty() else "lines" if kind == "auto" else kind
        self._bar: Progress | None = None
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

    def __exit__(self, *_exception: object) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Show a line of text."""
        if self._bar:
            self._bar.console.print(line, highlight=False)
        elif self.kind == "json":
            print(json.dumps({"message": line}), flush=True)
        elif self.kind == "lines":
            print(line, flush=True)

    def update(self, done: float, step: int, losses: dict[str, float], left: float) -> None:
        """Show how far the training is.

        Args:
            done: share of the budget, 0 to 1.
            step: number of the last step.
            losses: of that step, by name.
            left: seconds that it will take yet.
        """
        if self.kind == "json":
            print(json.dumps({"progress": done, "step": step, "seconds_left": left, "losses": losses}), flush=True)
            return
        text = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
        if self._bar:
            minutes, seconds = divmod(int(left), 60)
            self._bar.update(self._task, completed=done, step=step, left=f"{minutes}:{seconds:02d}", losses=text)
        elif self.kind == "lines" and int(done * 100) > self._last_percent:
            self._last_percent = int(done * 100)
            print(f"{done:6.1%} step {step}, {left / 60:.1f} min left: {text}", flush=True)
