"""The training loop: budget, schedule, checkpoints, curves, samples, clean stops and exact resume."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

from surgical_style_engine.errors import InputError, StyleTransferError

from .cache import TrainingData, prepare_data
from .checkpoint import latest_checkpoint, load_checkpoint, random_state, save_checkpoint, set_random_state
from .config import TrainingConfig
from .dataset import SampleByNumber, make_loader
from .methods import build_method
from .processes import agree_largest
from .samples import save_samples
from .tracking import CsvCurve

SAMPLE_SLICES = 4


class StopRequest:
    """Turns Ctrl-C and SIGTERM into a wish to stop after the current step; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ValueError):  # not in the main thread
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_exception) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, _frame) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number


def learning_rate(config: TrainingConfig, progress: float) -> float:
    """Constant for ``constant_fraction`` of the budget, then linear to zero (as CycleGAN's 100 + 100 epochs)."""
    constant = config.constant_fraction
    if progress <= constant or constant >= 1:
        return config.learning_rate
    return config.learning_rate * max(0.0, (1 - progress) / (1 - constant))


def train(config: TrainingConfig, resume: bool = False, bar=None, say=lambda line: None) -> dict:
    """Run the training that ``config`` describes; returns a summary (steps, minutes, finished, stopped_by).

    ``bar`` is called as bar(progress 0..1, step, losses, seconds_left); ``say`` gets lines for the person watching.
    Raises InputError for unusable data or an unfit resume, StyleTransferError on NaN losses or a full disk; the
    last good checkpoint stays intact in both.
    """
    run = Path(config.output)
    accelerator = _accelerator(config, run)
    device = accelerator.device
    if config.threads:
        torch.set_num_threads(config.threads)
    set_seed(config.seed)
    checkpoints = run / "checkpoints"
    found = latest_checkpoint(checkpoints)
    if found and not resume:
        raise InputError(f"{run} already holds a training; go on with --resume, or name another folder.")
    run.mkdir(parents=True, exist_ok=True)
    with accelerator.main_process_first():
        data = prepare_data(config, run / "cache", say if accelerator.is_main_process else lambda line: None)
    channels_a, channels_b = data.source[0].load().shape[0], data.target[0].load().shape[0]
    _check_channels(data, channels_a, channels_b)
    method = build_method(config.method, config, channels_a, channels_b, device, accelerator.autocast)

    step, minutes_before = 0, 0.0
    if found and resume:
        state = load_checkpoint(found)
        if state["digest"] != config.digest():
            raise InputError(
                f"The settings differ from those {found.name} was trained with: {_differences(state, config)}."
            )
        method.load_state_dict(state["method"])
        if accelerator.num_processes == 1:
            set_random_state(state["random"])
        step, minutes_before = int(state["step"]), float(state["minutes"])
        say(f"Resumed from step {step}.")
        del state
    if accelerator.is_main_process:
        (run / "config.json").write_text(json.dumps(config.model_dump(mode="json"), indent=2))

    loader = iter(make_loader(data, config, step, accelerator.process_index, accelerator.num_processes))
    samples = _sample_batches(data, config, device)
    main = accelerator.is_main_process
    curve = CsvCurve(run / "losses.csv", step) if main and "csv" in config.trackers else None
    if "tensorboard" in config.trackers:
        accelerator.init_trackers("tensorboard")

    def state_now(minutes: float) -> dict:
        return {
            "step": step, "minutes": minutes, "digest": config.digest(), "decisive": config.decisive(),
            "method": method.state_dict(), "random": random_state(), "channels": [channels_a, channels_b],
            "architecture": method.architecture,
        }  # fmt: skip

    started = time.monotonic()
    saved_step = step if found else -1
    waited = 0.0
    begun_at = _progress(config, step, minutes_before)

    def elapsed() -> float:
        return minutes_before + (time.monotonic() - started) / 60

    with StopRequest() as stop:
        while True:
            progress = agree_largest(_progress(config, step, elapsed()), device)
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
                last = latest_checkpoint(checkpoints)
                kept = f"the last good checkpoint is {last.name}" if last else "no checkpoint had been written yet"
                raise StyleTransferError(f"A loss became infinite or NaN at step {step}; {kept}.")
            if main:
                seconds = time.monotonic() - begun
                if curve:
                    curve.write({"step": step, "seconds": seconds, "waiting": waiting, "learning_rate": rate, **losses})
                if "tensorboard" in config.trackers and step % 10 == 0:
                    accelerator.log({**losses, "learning_rate": rate}, step=step)
                if bar:
                    done = min(_progress(config, step, elapsed()), 1.0)
                    left = (time.monotonic() - started) * (1 - done) / max(done - begun_at, 1e-9)
                    bar(done, step, losses, left)
                if config.sample_every and step % config.sample_every == 0:
                    save_samples(run / "samples" / f"step-{step:08d}.png", method.generators(), samples, config.stack)
                if step % config.checkpoint_every == 0:
                    save_checkpoint(checkpoints, step, state_now(elapsed()), config.keep_checkpoints)
                    saved_step = step
    minutes = elapsed()
    if main:
        if step != saved_step:
            save_checkpoint(checkpoints, step, state_now(minutes), config.keep_checkpoints)
        if config.sample_every and step:
            save_samples(run / "samples" / f"step-{step:08d}.png", method.generators(), samples, config.stack)
        if curve:
            curve.close()
    accelerator.end_training()
    summary = {
        "steps": step,
        "minutes": minutes,
        "finished": not stopping,
        "waiting_fraction": waited / max(time.monotonic() - started, 1e-9),
        "main_process": main,
        "device": str(device),
        "precision": config.precision,
    }
    if main and not stopping:
        from .export import export_model

        summary["model"] = str(export_model(config, data, method.generators(), method.architecture, step, minutes))
    return summary


def _progress(config: TrainingConfig, step: int, minutes: float) -> float:
    """Share of the budget used: of the steps, of the minutes, or of the one that runs out first."""
    shares = []
    if config.max_steps:
        shares.append(step / config.max_steps)
    if config.max_minutes:
        shares.append(minutes / config.max_minutes)
    return max(shares)


def bf16_helps(device: torch.device) -> bool:
    """Whether this device multiplies bf16 faster than fp32 (CUDA from Ampere on; CPUs with AVX512-BF16 or AMX)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if device.type == "cpu":
        supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)()
        return bool(supported) and _has_bf16_instructions()
    return False


def _has_bf16_instructions() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _accelerator(config: TrainingConfig, run: Path) -> Accelerator:
    if config.device not in ("auto", "cpu", "cuda", "mps"):
        raise InputError(f"There is no device '{config.device}'; use auto, cpu, cuda or mps.")
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("No CUDA device was found; use --device auto or cpu.")
    if config.precision == "auto":
        device = torch.device("cuda" if torch.cuda.is_available() and config.device != "cpu" else "cpu")
        config.precision = "bf16" if bf16_helps(device) else "fp32"
    return Accelerator(
        cpu=config.device == "cpu",
        mixed_precision="bf16" if config.precision == "bf16" else "no",
        log_with=["tensorboard"] if "tensorboard" in config.trackers else None,
        project_dir=str(run),
    )


def _check_channels(data: TrainingData, channels_a: int, channels_b: int) -> None:
    for items, channels in ((data.source, channels_a), (data.target, channels_b)):
        for item in items:
            if item.load().shape[0] != channels:
                raise InputError(f"{item.name} has {item.load().shape[0]} channels, others of its domain {channels}.")


def _differences(state: dict, config: TrainingConfig) -> str:
    now, then = config.decisive(), state.get("decisive", {})
    changed = sorted(key for key in now if now[key] != then.get(key))
    return ", ".join(f"{key} was {then.get(key)} and is {now[key]}" for key in changed) or "unknown settings"


def _sample_batches(data: TrainingData, config: TrainingConfig, device) -> list[dict]:
    """Fixed samples from beyond the numbers that training uses, without augmentation."""
    plain = SampleByNumber(data, config.model_copy(update={"augment": False}))
    numbers = range(2**40, 2**40 + SAMPLE_SLICES)
    return [{key: plain[n][key][None].to(device) for key in ("a", "b")} for n in numbers]
