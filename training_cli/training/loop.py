"""The training loop: budget, schedule, checkpoints, curves, samples, clean stops and exact resume."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, set_seed

from surgical_style_engine.backends.devices import pick_device
from surgical_style_engine.common import heap
from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.errors import InputError, OutOfMemoryError, StyleTransferError
from training_cli.training.data.cache import TrainingData, prepare_data
from training_cli.training.data.dataset import SampleByNumber, make_loader
from training_cli.training.methods.base import Method
from training_cli.training.optimisation.finetune import adopt_settings, origin_of
from training_cli.training.optimisation.precision import faster_precision
from training_cli.training.optimisation.processes import agree_largest
from training_cli.training.optimisation.schedule import budget_used, learning_rate
from training_cli.training.state.checkpoint import (
    last_good,
    latest_checkpoint,
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from training_cli.training.state.samples import save_samples
from training_cli.training.state.signals import Stopped, StopRequest
from training_cli.training.state.tracking import CsvCurve, told_once

from .config import TrainingConfig
from .methods import build_method

SAMPLE_SLICES = 4
LONGEST_WAIT = timedelta(days=1)  # of other processes for the one that prepares the data

Bar = Callable[[float, int, dict[str, float], float], None]
Say = Callable[[str], None]


def train(config: TrainingConfig, resume: bool = False, bar: Bar | None = None, say: Say = lambda line: None) -> dict:
    """Run the training that ``config`` describes; returns a summary (steps, minutes, finished, saved, model...).

    ``bar`` is called as bar(progress 0..1, step, losses, seconds_left); ``say`` gets lines for the person watching.
    Raises InputError for unusable data or an unfit resume, StyleTransferError on NaN losses, a full disk or too little
    memory; the last good checkpoint stays intact in all of them. A run folder that bad input made is removed again.
    """
    accelerator = _accelerator(config)
    run = Path(config.output)
    made = [path for path in (run, *run.parents) if not path.exists()] if accelerator.is_main_process else []
    if not accelerator.is_main_process:
        bar, say = None, lambda line: None
    with StopRequest() as stop, told_once():
        try:
            return _train(config, resume, accelerator, stop, bar, say)
        except Stopped:
            return _summary(config, accelerator, 0, 0.0, 0.0, finished=False, saved=False)
        except InputError:
            if made:
                shutil.rmtree(run, ignore_errors=True)
            for folder in made[1:]:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise
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


def _train(
    config: TrainingConfig, resume: bool, accelerator: Accelerator, stop: StopRequest, bar: Bar | None, say: Say
) -> dict:
    run, device, main = Path(config.output), accelerator.device, accelerator.is_main_process
    checkpoints = run / "checkpoints"
    if config.threads:
        torch.set_num_threads(config.threads)
    set_seed(config.seed)
    adopt_settings(config)
    state = _checkpoint_to_resume(checkpoints, config, resume, say)
    data = _prepare_together(config, run / "cache", accelerator, stop, say)
    channels_a, channels_b = data.source[0].channels, data.target[0].channels
    if state and state["channels"] != [channels_a, channels_b]:
        raise InputError("The images have other channels than those the checkpoint was trained with.")
    method: Method = build_method(config.method, config, channels_a, channels_b, device, accelerator.autocast)
    step, minutes_before = 0, 0.0
    started_from = state.get("started_from") if state else origin_of(config)
    if state:
        method.load_state_dict(state["method"])
        set_random_state(state["random"])
        step, minutes_before = int(state["step"]), float(state["minutes"])
        say(f"Resumed from step {step}.")
    saved_step = step if state else -1
    del state
    if main:
        with replacing(run / "config.json") as temporary:
            temporary.write_text(json.dumps(config.model_dump(mode="json"), indent=2))

    loader = iter(make_loader(data, config, step, accelerator.process_index, accelerator.num_processes))
    samples = _sample_batches(data, config, device) if main and config.sample_every else []
    curve = CsvCurve(run / "losses.csv", step) if main and "csv" in config.trackers else None
    if "tensorboard" in config.trackers:
        # What was logged after the checkpoint is told anew.
        accelerator.init_trackers("tensorboard", init_kwargs={"tensorboard": {"purge_step": step + 1}})

    started = time.monotonic()
    waited = 0.0
    begun_at = budget_used(config, step, minutes_before)

    def elapsed() -> float:
        return minutes_before + (time.monotonic() - started) / 60

    def save() -> None:
        # A finite loss may still have left an infinite gradient behind; such weights are nothing to go on from.
        if not _is_finite(method):
            raise StyleTransferError(f"A weight became infinite or NaN by step {step}; {last_good(checkpoints)}.")
        state = {
            "step": step,
            "minutes": elapsed(),
            "digest": config.digest(),
            "decisive": config.decisive(),
            "method": method.state_dict(),
            "random": random_state(),
            "channels": [channels_a, channels_b],
            "architecture": method.architecture,
            "started_from": started_from,
        }
        save_checkpoint(checkpoints, step, state, config.keep_checkpoints)

    def draw() -> None:
        save_samples(run / "samples" / f"step-{step:08d}.png", method.generators(), samples, config.stack)

    while True:
        progress = agree_largest(budget_used(config, step, elapsed()), device)
        stopping = agree_largest(float(stop.signal is not None), device) > 0
        if progress >= 1 or stopping:
            break
        begun = time.monotonic()
        batch = {key: value.to(device, non_blocking=True) for key, value in next(loader).items()}
        waiting = time.monotonic() - begun
        waited += waiting
        rate = learning_rate(config, progress)
        losses = {name: float(value) for name, value in method.step(batch, progress, rate).items()}
        step += 1
        bad = agree_largest(float(not all(math.isfinite(value) for value in losses.values())), device) > 0
        if bad:
            raise StyleTransferError(f"A loss became infinite or NaN at step {step}; {last_good(checkpoints)}.")
        if not main:
            continue
        if curve:
            seconds = time.monotonic() - begun
            curve.write({"step": step, "seconds": seconds, "waiting": waiting, "learning_rate": rate, **losses})
        if "tensorboard" in config.trackers and step % 10 == 0:
            accelerator.log({**losses, "learning_rate": rate}, step=step)
        if bar:
            done = min(budget_used(config, step, elapsed()), 1.0)
            left = (time.monotonic() - started) * (1 - done) / max(done - begun_at, 1e-9)
            bar(done, step, losses, left)
        if config.sample_every and step % config.sample_every == 0:
            draw()
        if step % config.checkpoint_every == 0:
            save()
            saved_step = step

    minutes = elapsed()
    if main:
        if step != saved_step:
            save()
        if samples and step:
            draw()
        if curve:
            curve.close()
    accelerator.end_training()
    summary = _summary(config, accelerator, step, minutes, waited / max(time.monotonic() - started, 1e-9), not stopping)
    if main and not stopping:
        from .export import export_model

        folder = export_model(
            config, data, method.generators(), method.architecture, step, minutes, started_from=started_from
        )
        summary["model"] = str(folder)
    return summary


def _summary(
    config: TrainingConfig,
    accelerator: Accelerator,
    step: int,
    minutes: float,
    waiting: float,
    finished: bool,
    saved: bool = True,
) -> dict:
    return {
        "steps": step,
        "minutes": minutes,
        "finished": finished,
        "saved": saved,
        "waiting_fraction": waiting,
        "main_process": accelerator.is_main_process,
        "device": str(accelerator.device),
        "precision": config.precision,
    }


def _accelerator(config: TrainingConfig) -> Accelerator:
    """Accelerate's object for the device and precision asked for; ``config.precision`` becomes the one that is used."""
    if config.device not in ("auto", "cpu", "cuda", "mps"):
        raise InputError(f"There is no device '{config.device}'; use auto, cpu, cuda or mps.")
    device = pick_device(config.device)
    if device.type == "cpu":
        heap.keep_freed(heap.TO_TRAIN)
    if config.precision == "auto":
        config.precision = faster_precision(config, device)
    return Accelerator(
        cpu=config.device == "cpu",
        mixed_precision="bf16" if config.precision == "bf16" else "no",
        log_with=["tensorboard"] if "tensorboard" in config.trackers else None,
        project_dir=str(config.output),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)],
    )


def _checkpoint_to_resume(checkpoints: Path, config: TrainingConfig, resume: bool, say: Say) -> dict | None:
    """The state to go on from, or None to begin. Raises InputError where that is not what was asked for."""
    found = latest_checkpoint(checkpoints)
    if not resume:
        if found:
            run = checkpoints.parent
            raise InputError(f"{run} already holds a training; go on with --resume, or name another folder.")
        return None
    if not found:
        say("There is no checkpoint yet; starting from the beginning.")
        return None
    state = load_checkpoint(found)
    if state["digest"] != config.digest():
        changed = _differences(state, config)
        raise InputError(f"The settings differ from those {found.name} was trained with: {changed}.")
    return state


def _differences(state: dict, config: TrainingConfig) -> str:
    now, then = config.decisive(), state.get("decisive", {})
    changed = sorted(key for key in now if now[key] != then.get(key))
    return ", ".join(f"{key} was {then.get(key)} and is {now[key]}" for key in changed) or "unknown settings"


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

    data, problem = None, None
    if accelerator.is_main_process:
        try:
            data = prepare_data(config, folder, report)
        except (StyleTransferError, OSError, Stopped) as error:
            problem = error
    failed = agree_largest(float(problem is not None), accelerator.device) > 0
    if problem is not None:
        raise problem
    if failed:
        raise Stopped
    return data or prepare_data(config, folder)


def _sample_batches(data: TrainingData, config: TrainingConfig, device) -> list[dict]:
    """Fixed samples from beyond the numbers that training uses, without augmentation."""
    plain = SampleByNumber(data, config.model_copy(update={"augment": False}))
    numbers = range(2**40, 2**40 + SAMPLE_SLICES)
    return [{key: plain[n][key][None].to(device) for key in ("a", "b")} for n in numbers]


def _is_finite(method: Method) -> bool:
    """Whether every weight, trained and averaged, is a number."""
    networks = [*method.networks().values(), *method.generators().values()]
    return all(bool(torch.isfinite(parameter).all()) for network in networks for parameter in network.parameters())


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(
        sign in text for sign in ("out of memory", "can't allocate memory", "not enough memory")
    )
