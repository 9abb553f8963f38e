"""What runs a model fastest on this processor: measured once for machine and model, then remembered."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.common.cancelling import check_cancelled
from surgical_style_engine.common.home import own_folder
from surgical_style_engine.common.thresholds import BODY_FROM
from surgical_style_engine.common.torch_presence import has_torch, is_installed
from surgical_style_engine.common.version import __version__
from surgical_style_engine.errors import Cancelled, StyleTransferError
from surgical_style_engine.models.folder import StyleModel

from . import devices
from .choices import BACKENDS, INT8, Maker, runner_maker
from .openvino.runner import OpenVinoRunner
from .runner import Runner
from .torch_runner import TorchRunner

LEAST_PSNR = 45.0  # dB within the body, of what may stand in for fp32; normalised intensities, range 2
SIDE = 160  # pixels of the picture that is measured
REPEATS = 3
HOPELESS = 1.25  # times the seconds of fp32 from which bf16 is not tried further; compiling takes a second
STATE = 5  # of the ways to run; raised where one of them becomes faster, so that all are measured anew
Tell = Callable[[int, int], None]  # (done, at most in all)
_BEGUN = " | begun"  # behind the key of what was measured before somebody cancelled
SWITCH = "SST_PROBE"  # "off": nothing is measured, torch runs in what the hardware multiplies


@dataclass(frozen=True)
class Measured:
    """One way to run a model, as it was measured.

    Attributes:
        backend: torch or openvino.
        precision: what it computes in.
        seconds: for a picture of SIDE x SIDE.
        psnr: how close it comes within the body [dB] to fp32 in torch, or in OpenVINO where torch is missing; None: it
            is that fp32.
    """

    backend: str
    precision: str
    seconds: float
    psnr: float | None


@dataclass(frozen=True)
class Choice:
    """What to run a model with; ``note`` says why it is not the reduced precision that the hardware has."""

    backend: str
    precision: str
    note: str = ""


def is_on() -> bool:
    """Whether anything is measured; the environment variable SST_PROBE turns it off."""
    return os.environ.get(SWITCH, "").lower() not in ("off", "0", "no")


def choose(model: StyleModel, direction: str, backend: str = "auto", precision: str = "auto") -> Choice:
    """The fastest way on the CPU among those that fit what was asked for.

    What is not fp32 counts only if it stays within LEAST_PSNR of fp32 on a picture like a slice.

    Args:
        model: whose weights are for torch.
        direction: forward or backward.
        backend: torch, openvino, or auto: any.
        precision: what is computed in, or auto: any.
    """
    measured = measure(model, direction)
    of_backend = [entry for entry in measured if backend in ("auto", entry.backend)]
    fitting = [entry for entry in of_backend if precision in ("auto", entry.precision)]
    if not fitting:
        return Choice(measured[0].backend if backend == "auto" else backend, precision)
    true = [entry for entry in fitting if entry.psnr is None or entry.psnr >= LEAST_PSNR or precision != "auto"]
    if not true:
        return Choice(backend, "fp32", _why(fitting))
    best = min(true, key=lambda entry: entry.seconds)
    refused = [entry for entry in fitting if entry not in true]
    return Choice(best.backend, best.precision, _why(refused) if refused and best.precision == "fp32" else "")


def _why(refused: list[Measured]) -> str:
    worst = min(refused, key=lambda entry: entry.psnr or 0.0)
    return (
        f"Computed in fp32: in {worst.precision} this model would be off by more than rounding "
        f"({worst.psnr:.1f} dB, {LEAST_PSNR:.0f} are asked for)."
    )


def is_known(model: StyleModel, direction: str) -> bool:
    """Whether this machine and model were measured, so that ``measure`` takes no time."""
    return _key(model, direction) in _read()


def measure(model: StyleModel, direction: str, tell: Tell = lambda done, total: None) -> list[Measured]:
    """The ways there are here, from the file of earlier measurements where it has this machine and model.

    Args:
        model: whose weights are for torch.
        direction: forward or backward.
        tell: called before each way is tried, with how many were and how many there are at most; what it raises ends
            the measuring; ``Cancelled`` keeps what was measured so far.
    """
    key = _key(model, direction)
    known = _read()
    if key in known:
        with contextlib.suppress(TypeError):
            return [Measured(**entry) for entry in known[key]]
    begun = key + _BEGUN
    trials = _Trials(model, direction, known.pop(begun, []), tell)
    try:
        measured = _measure(model, direction, trials)
    except Cancelled:
        _write(known | {begun: [asdict(entry) for entry in trials.measured]})
        raise
    _write(known | {key: [asdict(entry) for entry in measured]})
    return measured


class _Trials:
    """Ways to run a model that were tried on one picture; the first is what the others are compared with.

    begun: what was measured before somebody cancelled; it is not tried again. tell: see ``measure``.
    """

    most = 0  # ways that there are

    def __init__(
        self,
        model: StyleModel,
        direction: str,
        begun: Sequence[Mapping[str, Any]] = (),
        tell: Tell = lambda done, total: None,
    ) -> None:
        self._begun: dict[tuple[str, str], Measured] = {}
        with contextlib.suppress(TypeError):
            self._begun = {(entry.backend, entry.precision): entry for entry in (Measured(**one) for one in begun)}
        self._model, self._direction, self._tell = model, direction, tell
        self.picture = like_a_slice(model.card.domain_from(direction).channels * model.card.stack)
        self._body = self.picture.max(axis=1)[0] > BODY_FROM
        self._reference: np.ndarray | None = None
        self.measured: list[Measured] = []
        self.runners: list[Runner | None] = []

    def add(self, maker: Maker, precision: str) -> None:
        """Try one way. A backend that cannot run this network is no choice; only the first must be able to.

        Raises:
            StyleTransferError, MemoryError: what the first way raises.
        """
        self._tell(len(self.measured), self.most)
        check_cancelled()
        known = self._begun.get((getattr(maker, "backend", ""), precision))
        if known is not None and self._reference is not None:
            self.measured.append(known)
            self.runners.append(None)
            return
        try:
            runner = maker(self._model, self._direction, "cpu", precision)
            result, seconds = _timed(runner, self.picture)
        except Cancelled:
            raise
        except (StyleTransferError, MemoryError):
            if self._reference is None:
                raise
            return
        result = result[:, :, self._body]
        psnr = None if self._reference is None else psnr_of(result, self._reference)
        self._reference = result if self._reference is None else self._reference
        self.measured.append(Measured(runner.backend, precision, round(seconds, 5), psnr))
        self.runners.append(runner)


def _measure(model: StyleModel, direction: str, trials: _Trials | None = None) -> list[Measured]:
    trials = trials or _Trials(model, direction)
    precisions = ("fp32", "bf16") if devices.bf16_helps("cpu") else ("fp32",)
    with_torch = has_torch()
    trials.most = len(precisions) * (1 + with_torch) + 1 + len(_other_backends())
    for precision in precisions if with_torch else ():
        trials.add(TorchRunner, precision)
    if len(trials.measured) > 1 and trials.measured[1].seconds > HOPELESS * trials.measured[0].seconds:
        precisions = ("fp32",)  # nor will another backend make this processor multiply bf16 faster
    if find_spec("openvino") or not with_torch:  # a model that needs torch is then told here
        for precision in precisions:
            trials.add(OpenVinoRunner, precision)
        compiled = [entry for entry in trials.measured if entry.backend == OpenVinoRunner.backend]
        if compiled:
            rest = min(compiled, key=lambda entry: entry.seconds).precision
            trials.add(OpenVinoRunner, next(name for name, other in INT8.items() if other == rest))
    for name in _other_backends():
        trials.add(runner_maker(name), "fp32")
    return [
        replace(entry, seconds=round(min(seconds, entry.seconds) if runner is None else seconds, 5))
        for entry, runner, seconds in zip(
            trials.measured, trials.runners, _in_turns(trials.runners, trials.picture), strict=True
        )
    ]


def _other_backends() -> list[str]:
    return [name for name in BACKENDS if name not in (TorchRunner.backend, OpenVinoRunner.backend)]


def _in_turns(runners: list[Runner | None], picture: np.ndarray) -> list[float]:
    """Seconds of each; infinite for what was measured before, and has no runner.

    One after the other, again and again: what else the machine does meanwhile hinders all alike, and no way is
    remembered as slow for a moment's sake.
    """
    seconds = [float("inf")] * len(runners)
    for _ in range(REPEATS):
        for index, runner in enumerate(runners):
            if runner is None:
                continue
            check_cancelled()
            begun = time.perf_counter()
            runner.run(picture)
            seconds[index] = min(seconds[index], time.perf_counter() - begun)
    return seconds


def _timed(runner: Runner, picture: np.ndarray) -> tuple[np.ndarray, float]:
    result, seconds = runner.run(picture), []
    for _ in range(REPEATS):
        check_cancelled()
        begun = time.perf_counter()
        runner.run(picture)
        seconds.append(time.perf_counter() - begun)
    return result, min(seconds)


def psnr_of(image: np.ndarray, reference: np.ndarray) -> float:
    """Peak signal-to-noise ratio [dB] of two arrays of normalised intensities, range 2; at most 200, NaN is 0."""
    error = float(np.mean((image.astype(np.float64) - reference) ** 2))
    return round(float(10 * np.log10(4 / max(error, 4e-20))), 2) if np.isfinite(error) else 0.0


def like_a_slice(channels: int) -> np.ndarray:
    """(1, channels, SIDE, SIDE) float32 in [-1, 1]: a textured body on a dark background, always the same."""
    rng = np.random.default_rng(0)
    axis = np.linspace(-1.2, 1.2, SIDE, dtype=np.float32)
    inside = axis[:, None] ** 2 + (axis / 0.8) ** 2 < 1
    waves = np.sin(9 * axis[:, None] + 4 * axis) * np.cos(7 * axis - 3 * axis[:, None])
    texture = 0.4 * waves + 0.1 * rng.standard_normal((channels, SIDE, SIDE), dtype=np.float32)
    return np.clip(np.where(inside, texture, -0.97), -1, 1)[None].astype(np.float32)


def memory_file() -> Path:
    """Where measurements are remembered."""
    return own_folder() / "measured.json"


def _key(model: StyleModel, direction: str) -> str:
    here = {"torch": is_installed(), "openvino": find_spec("openvino")}
    packages = [f"{name} {metadata.version(name)}" for name, is_here in here.items() if is_here]
    own = f"{__version__}.{STATE}"
    processor = devices.processor_name()
    ways = [own, *packages, *_other_backends()]
    parts = [processor, f"{os.cpu_count()} cores", *ways, model.card.stored.sha256, direction]
    return " | ".join(parts)


def _read() -> dict:
    try:
        known = json.loads(memory_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(known: dict) -> None:
    """Remember; a machine without a place for it measures again."""
    path = memory_file()
    with contextlib.suppress(OSError), replacing(path) as temporary:
        temporary.write_text(json.dumps(known, indent=1), encoding="utf-8")
