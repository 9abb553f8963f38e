"""The training loop: budget, schedule, checkpoints, curves, samples, clean stops and exact resume."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.errors import InputError, OutOfMemoryError, StyleTransferError
from training_cli.training.data.dataset import make_loader, samples_of
from training_cli.training.data.items import TrainingData
from training_cli.training.data.many.prepare import ManyData
from training_cli.training.data.prepare_any import prepare_any
from training_cli.training.hardware.preset_choice import apply_preset
from training_cli.training.methods.base import Losses, Method
from training_cli.training.methods.build import build_method
from training_cli.training.optimisation.accelerator import make_accelerator
from training_cli.training.optimisation.finetune import adopt_settings
from training_cli.training.optimisation.processes import LostProcessError, agree_largest
from training_cli.training.optimisation.schedule import budget_used, learning_rate
from training_cli.training.state.checkpoint import last_good, random_state, save_checkpoint, set_random_state
from training_cli.training.state.resume import checkpoint_to_resume
from training_cli.training.state.samples import save_many_samples, save_samples
from training_cli.training.state.signals import Stopped, StopRequest
from training_cli.training.state.tracking import CsvCurve, told_once
from training_cli.training.state.watch import Watch, check_generator

from .config import TrainingConfig
from .export import TrainingResult, export_model

SAMPLE_SLICES, CHECK_SLICES = 4, 6
STEPS_BETWEEN_LOGS = 10  # of TensorBoard

Bar = Callable[[float, int, dict[str, float], float], None]
Say = Callable[[str], None]
Share = Callable[[TrainingData], TrainingData]


def train(
    config: TrainingConfig,
    resume: bool = False,
    bar: Bar | None = None,
    say: Say = lambda line: None,
    share: Share = lambda data: data,
) -> dict[str, Any]:
    """Run the training that ``config`` describes.

    Args:
        config: of the training.
        resume: whether to go on from the run's last checkpoint.
        bar: called as bar(progress 0..1, step, losses, seconds_left).
        say: gets lines for the person watching.
        share: says what of the prepared data is learned from.

    Returns:
        A summary: steps, minutes, finished, saved, model, waiting_fraction, main_process, device, precision.

    Raises:
        InputError: for unusable data or an unfit resume; a run folder that it made is removed again.
        StyleTransferError: on NaN losses, a full disk or too little memory; the last good checkpoint stays intact.
    """
    apply_preset(config, resume, say if os.environ.get("RANK", "0") == "0" else lambda line: None)
    accelerator = make_accelerator(config)
    if not accelerator.is_main_process:
        bar, say = None, lambda line: None
    with StopRequest() as stop, told_once(), _explained_failures(config, accelerator):
        training = _Training(config, accelerator, stop, say, share)
        try:
            training.prepare(resume)
        except Stopped:
            return training.summary(finished=False, saved=False)
        finished = training.run(bar)
        return training.finish(finished)


@contextlib.contextmanager
def _explained_failures(config: TrainingConfig, accelerator: Accelerator) -> Iterator[None]:
    """Failures within the block become one sentence each; after bad input the folders made since then are gone."""
    run = Path(config.output)
    missing = [path for path in (run, *run.parents) if not path.exists()] if accelerator.is_main_process else []
    try:
        yield
    except InputError:
        if missing:
            shutil.rmtree(run, ignore_errors=True)
        for folder in missing[1:]:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    except LostProcessError:
        raise StyleTransferError(
            f"Another process of this training has ended, and so does this one; {last_good(run / 'checkpoints')}. "
            "Go on with --resume, in all of them."
        ) from None
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        advice = "a smaller patch_size, batch_size or ngf needs less"
        raise OutOfMemoryError(
            f"The device {accelerator.device} has too little memory ({advice}); {last_good(run / 'checkpoints')}."
        ) from None
    except OSError as error:
        reason = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        raise StyleTransferError(
            f"The run folder {run} cannot be used ({reason}); {last_good(run / 'checkpoints')}."
        ) from None


@dataclass
class _Clock:
    """Time spent in training. minutes_before: in earlier parts; waited: seconds of this part spent on data."""

    minutes_before: float = 0.0
    started: float = 0.0
    waited: float = 0.0

    def start(self) -> None:
        self.started = time.monotonic()

    def seconds(self) -> float:
        """Of this part."""
        return time.monotonic() - self.started if self.started else 0.0

    def minutes(self) -> float:
        """Of all parts."""
        return self.minutes_before + self.seconds() / 60


class _Training:
    """One part of a training, from its start or resume to its end or stop: ``prepare``, ``run``, ``finish``."""

    data: TrainingData
    method: Method

    def __init__(
        self, config: TrainingConfig, accelerator: Accelerator, stop: StopRequest, say: Say, share: Share
    ) -> None:
        self.config, self.accelerator, self.stop, self.say, self.share = config, accelerator, stop, say, share
        self.folder, self.device, self.is_main = Path(config.output), accelerator.device, accelerator.is_main_process
        self.checkpoints = self.folder / "checkpoints"
        self.clock = _Clock()
        self.step, self.saved_step, self.images = 0, -1, 0
        self.started_from: dict[str, Any] | None = None
        self.watch: Watch | None = None
        self.checked: tuple[list[dict[str, torch.Tensor]], list[dict[str, torch.Tensor]]] = ([], [])
        self.samples: list[dict[str, torch.Tensor]] = []
        self.curve: CsvCurve | None = None
        self.progress_before = 0.0

    def prepare(self, resume: bool) -> None:
        """Make or find all that training needs. Raises Stopped, InputError, StyleTransferError."""
        config = self.config
        if config.threads:
            torch.set_num_threads(config.threads)
        set_seed(config.seed)
        adopt_settings(config)
        state = checkpoint_to_resume(self.checkpoints, config, resume, self.say)
        self.data = self.share(_prepare_together(config, self.folder / "cache", self.accelerator, self.stop, self.say))
        channels_a, channels_b = self._channels()
        if state and state["channels"] != [channels_a, channels_b]:
            raise InputError("The images have other channels than those the checkpoint was trained with.")
        self.method = build_method(
            config.method, config, channels_a, channels_b, self.device, self.accelerator.autocast
        )
        self.started_from = self.method.started_from
        if state:
            self._restore(state)
        if self.is_main:
            with replacing(self.folder / "config.json") as temporary:
                temporary.write_text(json.dumps(config.model_dump(mode="json"), indent=2))

    def _channels(self) -> tuple[int, int]:
        return self.data.source[0].channels, self.data.target[0].channels

    def _restore(self, state: dict[str, Any]) -> None:
        self.method.load_state_dict(state["method"])
        set_random_state(state["random"])
        self.step = self.saved_step = int(state["step"])
        self.images = int(state.get("images", self.step * self.config.batch_size))
        self.clock.minutes_before = float(state["minutes"])
        self.started_from = state.get("started_from")
        self.say(f"Resumed from step {self.step}.")

    def run(self, bar: Bar | None) -> bool:
        """Train until the budget is used or a stop is wished for; returns whether it is used."""
        config, device, processes = self.config, self.device, self.accelerator.num_processes
        batches = iter(make_loader(self.data, config, self.step, self.accelerator.process_index, processes))
        self._open_trackers()
        self.clock.start()
        self.progress_before = budget_used(config, self.step, self.clock.minutes_before)
        while True:
            progress = agree_largest(budget_used(config, self.step, self.clock.minutes()), device)
            stopping = agree_largest(float(self.stop.signal is not None), device) > 0
            if progress >= 1 or stopping:
                return not stopping
            self._one_step(batches, progress, bar)

    def _open_trackers(self) -> None:
        config = self.config
        if self.is_main and config.sample_every:
            self.samples = _sample_batches(self.data, config, self.device)
        # Without discriminators or pairs there is no real image that a translation should be like.
        has_real = self.data.pairs or (self.method.discriminators and not isinstance(self.data, ManyData))
        if self.is_main and config.check_every and has_real:
            self.watch = Watch(self.folder, self.step)
            aside = replace(self.data, pairs=self.data.aside) if self.data.aside else None
            self.checked = (
                _sample_batches(self.data, config, self.device, CHECK_SLICES),
                _sample_batches(aside, config, self.device, CHECK_SLICES, pairs_fraction=1.0) if aside else [],
            )
        if self.is_main and "csv" in config.trackers:
            self.curve = CsvCurve(self.folder / "losses.csv", self.method.losses, self.step)
        if "tensorboard" in config.trackers:
            # What was logged after the checkpoint is told anew.
            self.accelerator.init_trackers("tensorboard", init_kwargs={"tensorboard": {"purge_step": self.step + 1}})

    def _one_step(self, batches: Iterator[dict[str, torch.Tensor]], progress: float, bar: Bar | None) -> None:
        begun = time.monotonic()
        batch = {key: value.to(self.device, non_blocking=True) for key, value in next(batches).items()}
        waiting = time.monotonic() - begun
        self.clock.waited += waiting
        rate = learning_rate(self.config, progress)
        losses = _numbers(self.method.step(batch, progress, rate))
        self.step += 1
        self.images += self.config.batch_size * self.accelerator.num_processes
        if agree_largest(float(not all(map(math.isfinite, losses.values()))), self.device) > 0:
            raise StyleTransferError(
                f"A loss became infinite or NaN at step {self.step}; {last_good(self.checkpoints)}."
            )
        if not self.is_main:
            return
        seconds = time.monotonic() - begun
        self._tell({"seconds": seconds, "waiting": waiting, "learning_rate": rate}, losses, bar)
        if self.watch:
            self.watch.record(losses)
            if self.step % self.config.check_every == 0:
                generator, place = self.method.generators()["forward"], (self.step, progress)
                self.watch.add(check_generator(generator, *self.checked, place, self.config.stack), self.say)
        if self.config.sample_every and self.step % self.config.sample_every == 0:
            self._draw()
        if self.step % self.config.checkpoint_every == 0:
            self._save()

    def _tell(self, facts: dict[str, float], losses: dict[str, float], bar: Bar | None) -> None:
        """Write a step's numbers to where they are followed."""
        if self.curve:
            self.curve.write({"step": self.step, **facts, **losses})
        if "tensorboard" in self.config.trackers and self.step % STEPS_BETWEEN_LOGS == 0:
            self.accelerator.log({**losses, "learning_rate": facts["learning_rate"]}, step=self.step)
        if bar:
            progress = min(budget_used(self.config, self.step, self.clock.minutes()), 1.0)
            left = self.clock.seconds() * (1 - progress) / max(progress - self.progress_before, 1e-9)
            bar(progress, self.step, losses, left)

    def _draw(self) -> None:
        path = self.folder / "samples" / f"step-{self.step:08d}.png"
        save = save_many_samples if isinstance(self.data, ManyData) else save_samples
        save(path, self.method.generators(), self.samples, self.config.stack)

    def _save(self) -> None:
        # A finite loss may still have left an infinite gradient behind; such weights are nothing to go on from.
        if not _is_finite(self.method):
            raise StyleTransferError(
                f"A weight became infinite or NaN by step {self.step}; {last_good(self.checkpoints)}."
            )
        state = {
            "step": self.step,
            "images": self.images,
            "minutes": self.clock.minutes(),
            "digest": self.config.digest(),
            "decisive": self.config.decisive(),
            "method": self.method.state_dict(),
            "random": random_state(),
            "channels": list(self._channels()),
            "architecture": self.method.architecture,
            "started_from": self.started_from,
        }
        save_checkpoint(self.checkpoints, self.step, state, self.config.keep_checkpoints)
        self.saved_step = self.step

    def finish(self, finished: bool) -> dict[str, Any]:
        """The last checkpoint and sample, and the model if the budget is used; returns the summary."""
        minutes = self.clock.minutes()
        if self.is_main:
            if self.step != self.saved_step:
                self._save()
            if self.samples and self.step:
                self._draw()
            if self.curve:
                self.curve.close()
        self.accelerator.end_training()
        self.stop.release()
        finished = finished and self.stop.signal is None
        summary = self.summary(finished, saved=True) | {"minutes": minutes}
        if self.is_main and finished:
            method = self.method
            limits = list(self.watch.standing().values()) if self.watch else []
            result = TrainingResult(
                method.generators(),
                method.architecture,
                self.step,
                minutes,
                self.images,
                self.started_from,
                limits,
                method.card_entries(),
            )
            summary["model"] = str(self._export(result))
        return summary

    def _export(self, result: TrainingResult) -> Path:
        """Write the model. All is saved by now: a signal ends it at once, and leaves no half model."""
        self.say("The training is done and saved; writing the model.")
        try:
            return export_model(self.config, self.data, result)
        except BaseException as error:
            if not isinstance(error, Exception):
                self.say("The model is not written yet; --resume writes it.")
            raise

    def summary(self, finished: bool, saved: bool) -> dict[str, Any]:
        """See ``train``."""
        return {
            "steps": self.step,
            "minutes": self.clock.minutes(),
            "finished": finished,
            "saved": saved,
            "waiting_fraction": self.clock.waited / max(self.clock.seconds(), 1e-9),
            "main_process": self.is_main,
            "device": str(self.device),
            "precision": self.config.precision,
        }


def _prepare_together(
    config: TrainingConfig, folder: Path, accelerator: Accelerator, stop: StopRequest, say: Say
) -> TrainingData:
    """The main process fills the cache, then the others read it; where it fails or is stopped, all end.

    Raises Stopped on a wish to stop, and in the others when the main process failed: it says why.
    """

    def report(line: str) -> None:
        if stop.signal is not None:
            raise Stopped
        say(line)

    data: TrainingData | None = None
    problem: Exception | None = None
    if accelerator.is_main_process:
        try:
            data = prepare_any(config, folder, report)
        except (StyleTransferError, OSError, Stopped) as error:
            problem = error
    failed = agree_largest(float(problem is not None), accelerator.device) > 0
    if problem is not None:
        raise problem
    if failed:
        raise Stopped
    return data or prepare_any(config, folder)


def _sample_batches(
    data: TrainingData, config: TrainingConfig, device: torch.device, count: int = SAMPLE_SLICES, **changes: Any
) -> list[dict[str, torch.Tensor]]:
    """Fixed samples from beyond the numbers that training uses, without augmentation."""
    plain_settings = {"augment": False, "randomise": "none", "randomise_settings": {}, **changes}
    plain = samples_of(data, config.model_copy(update=plain_settings))
    keys = ("clean", "known") if isinstance(data, ManyData) else ("a", "b", "weight", "paired")
    return [{key: plain[n][key][None].to(device) for key in keys} for n in range(2**40, 2**40 + count)]


def _numbers(losses: Losses) -> dict[str, float]:
    return {name: float(value) for name, value in losses.items()}


def _is_finite(method: Method) -> bool:
    """Whether every weight, trained and averaged, is a number."""
    networks = [*method.networks().values(), *method.generators().values()]
    return all(bool(torch.isfinite(parameter).all()) for network in networks for parameter in network.parameters())


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(
        sign in text for sign in ("out of memory", "can't allocate memory", "not enough memory")
    )
