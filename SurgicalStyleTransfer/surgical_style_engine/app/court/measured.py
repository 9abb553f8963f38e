"""A model's translations of all patients, made in a process of its own so that its time and memory are its own."""

from __future__ import annotations

import multiprocessing
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import StyleTransferError


@dataclass(frozen=True)
class Run:
    """What a process is told: the model's folder, the direction, the sources, where to write, and how to run."""

    folder: Path
    direction: str
    sources: tuple[Path, ...]
    output: Path
    device: str = "auto"
    precision: str = "fp32"
    backend: str = "auto"


def translate_all(run: Run, own_process: bool = True) -> dict[str, Any]:
    """Translate every source; the volumes go into ``output`` as 0.npy, 1.npy, ... in the target's units.

    Args:
        run: What to translate with what.
        own_process: Without one, the memory is the calling process's.

    Returns:
        seconds and cpu_seconds (medians a volume, without reading), peak_mb (None where the system does not tell),
        device, backend, precision, warnings.

    Raises:
        InputError, StyleTransferError: As ``translate_volume`` does.
    """
    if not own_process:
        return _translate_all(run)
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(_translate_all, run).result()
    except BrokenProcessPool:
        raise StyleTransferError(
            f"The process that ran {run.folder.name} ended early; was there too little memory?"
        ) from None


def _translate_all(run: Run) -> dict[str, Any]:
    from surgical_style_engine.imageio.read import read_volume  # noqa: PLC0415 - SimpleITK is loaded with it
    from surgical_style_engine.inference.runners import runner_for  # noqa: PLC0415
    from surgical_style_engine.inference.translate import translate_volume  # noqa: PLC0415
    from surgical_style_engine.models.folder import load_model  # noqa: PLC0415

    model = load_model(run.folder)
    options = RunOptions(device=run.device, precision=run.precision, backend=run.backend, keep_normalized=False)
    runner = runner_for(model, run.direction, options)
    walls: list[float] = []
    times: list[float] = []
    warnings: list[str] = []
    for number, source in enumerate(run.sources):
        volume = read_volume(source)
        wall, begun = time.perf_counter(), time.process_time()
        translation = translate_volume(
            volume, model, direction=run.direction, options=options, runner=runner, keep_normalized=False
        )
        walls.append(time.perf_counter() - wall)
        times.append(time.process_time() - begun)
        warnings += [f"{source.name}: {sentence}" for sentence in translation.warnings]
        np.save(run.output / f"{number}.npy", translation.volume.array)
    return {
        "seconds": float(np.median(walls)),
        "cpu_seconds": float(np.median(times)),
        "peak_mb": _peak_mb(),
        "device": runner.device,
        "backend": runner.backend,
        "precision": runner.precision,
        "warnings": warnings,
    }


def _peak_mb() -> float | None:
    """The most memory that this process has held, in MB; None where the system does not tell."""
    if platform.system() == "Linux":
        # Not getrusage's maximum, which a new process takes over from the one that started it.
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="ignore").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return None
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1e6  # bytes on macOS
