"""Times of this engine and of the plain way, in turn (training steps: one after the other).

On the CPU the plain way has a process of its own, since this engine changes how its process treats memory (``heap``).
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from surgical_style_engine.backends.autotune import psnr_of
from surgical_style_engine.backends.choices import INT8
from surgical_style_engine.backends.devices import bf16_helps, cpu_features, pick_device, processor_name
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.common import heap
from surgical_style_engine.common.version import __version__
from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.inference import plane_job
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.slices import middle
from training_cli.training.config import load_config
from training_cli.training.methods.cyclegan import CycleGAN

from .elsewhere import Elsewhere
from .plain import PlainCycleGAN, plain_network, plain_slice, plain_translate
from .roofline import arithmetic, peak

_TO_SETTLE = 2  # training steps until memory has been taken and precisions looked up


def machine(device: str = "cpu") -> dict[str, Any]:
    """What was measured on: processor or GPU, what it multiplies, cores, versions, date."""
    kinds = {"avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8"}
    about: dict[str, Any] = {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "features": sorted(cpu_features() & kinds),
        "torch": torch.__version__,
        "version": __version__,
        "date": date.today().isoformat(),
    }
    if device.startswith("cuda"):
        about["gpu"] = torch.cuda.get_device_name(torch.device(device))
    return about


def head_phantom(size: int, slices: int, spacing_mm: float = 1.0) -> Any:
    """A SimpleITK image (int16) with a textured body as wide as a head: 150 x 190 mm, or 3/4 of a smaller image.

    Args:
        size: Pixels along x and y.
        slices: Pixels along z, 3 mm apart.
        spacing_mm: In plane.
    """
    rng = np.random.default_rng(0)
    width = min(150.0, 0.6 * size * spacing_mm) / 2
    height = min(190.0, 0.75 * size * spacing_mm) / 2
    axis = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * spacing_mm
    inside = (axis[:, None] / height) ** 2 + (axis / width) ** 2 < 1
    array = np.empty((slices, size, size), np.int16)
    for index in range(slices):
        waves = np.sin(axis[:, None] / 9 + index / 5) * np.cos(axis / 7)
        tissue = 500 + 250 * waves + rng.normal(0, 30, (size, size))
        array[index] = np.where(inside, tissue, np.abs(rng.normal(0, 6, (size, size))))
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((spacing_mm, spacing_mm, 3.0))
    return image


def in_turn(ways: dict[str, Callable[[], Any]], repeats: int, first: int = 1) -> dict[str, list[float]]:
    """Seconds of every way, one after the other and again, after the ``first`` runs of each, which do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + first):
        for name, run in ways.items():
            begun = time.perf_counter()
            run()
            if turn >= first:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def rows(
    seconds: dict[str, list[float]],
    more: dict[str, dict[str, Any]] | None = None,
    plain: str = "plain",
    in_pairs: bool = True,
) -> list[dict[str, Any]]:
    """A row a way: median, least and most seconds, and how many times faster than the plain way.

    Args:
        seconds: Of every run of every way.
        more: What else goes into the row of a way.
        plain: The way that the others are compared with.
        in_pairs: Whether runs were measured beside each other: then the median of their ratios is told, else the ratio
            of the medians.
    """
    table = []
    for name, values in seconds.items():
        ratios = [slow / fast for slow, fast in zip(seconds[plain], values, strict=True)]
        if not in_pairs:
            ratios = [statistics.median(seconds[plain]) / statistics.median(values)]
        table.append(
            {
                "way": name,
                "seconds": round(statistics.median(values), 4),
                "least": round(min(values), 4),
                "most": round(max(values), 4),
                "times_plain": round(statistics.median(ratios), 2),
                **(more or {}).get(name, {}),
            }
        )
    return table


def ways_to_run(model: StyleModel, direction: str, device: str) -> dict[str, Any]:
    """Runners by name: every backend and precision that there is here, and what auto chooses."""
    chosen = pick_device(device)
    precisions = ["fp32"] + (["bf16"] if bf16_helps(chosen) else []) + (["fp16"] if chosen.type == "cuda" else [])
    ways = [("torch", precision) for precision in precisions]
    if chosen.type == "cpu":
        ways += [("openvino", precision) for precision in precisions]
        ways += [("openvino", name) for name, rest in INT8.items() if rest in precisions]
    runners = {}
    for backend, precision in ways:
        with contextlib.suppress(StyleTransferError):
            runners[f"{backend} {precision}"] = make_runner(model, direction, str(chosen), precision, backend)
    automatic = make_runner(model, direction, str(chosen))
    return {"auto": runners.get(f"{automatic.backend} {automatic.precision}", automatic), **runners}


def network_alone(model: StyleModel, direction: str, size: int, repeats: int, device: str) -> list[dict[str, Any]]:
    """One whole slice of size x size through the network.

    Returns:
        A row a way: seconds, closeness to the plain result (dB), and the share of what the machine multiplies at most.
        Where slices run in batches, also the seconds of a slice among them. The last row says what auto chooses.
    """
    channels = model.card.domain_from(direction).channels * model.card.stack
    slice_ = np.random.default_rng(0).uniform(-1, 1, (1, channels, size, size)).astype(np.float32)
    runners = ways_to_run(model, direction, device)
    network, images = _plain(model, direction, device), torch.from_numpy(slice_)
    plain = partial(plain_slice, network, images, device if device != "auto" else "cpu")
    kept = model.card.domain_to(direction).channels

    def of_middle(images: np.ndarray) -> np.ndarray:
        return images[:, middle(images.shape[1], kept)]

    expected = of_middle(plain())
    ways = {name: (lambda runner=runner: runner.run(slice_)) for name, runner in runners.items() if name != "auto"}

    gflop = arithmetic(network, images.to(device if device != "auto" else "cpu"))

    def more_of(name: str, seconds: float) -> dict[str, Any]:
        precision = name.split()[-1] if name != "plain" else "fp32"
        reached = gflop / seconds
        # Eight bits are for a part of the layers: no single peak to compare with.
        share = {} if precision in INT8 else {"of_peak": round(reached / peak(device, precision), 6)}
        return {"gflop_per_second": round(reached), **share}

    more = {name: {"psnr": psnr_of(of_middle(run()), expected)} for name, run in ways.items()}
    automatic = runners["auto"]
    with _elsewhere(plain, device) as apart:
        table = rows(in_turn({"plain": apart, **ways}, repeats), more)
    for row in table:
        row |= more_of(row["way"], row["seconds"])
    count = plane_job.DEFAULT_BATCH.get(device.split(":")[0], 1)
    if count > 1:
        batch = np.repeat(slice_, count, axis=0)
        runners.pop("auto")
        several = {name: (lambda runner=runner: runner.run(batch)) for name, runner in runners.items()}
        for row in rows(in_turn({"plain": plain, **several}, repeats)):
            if row["way"] != "plain":
                times_of_one = {key: round(row[key] / count, 5) for key in ("seconds", "least", "most")}
                name, times = f"{row['way']}, {count} at once", round(row["times_plain"] * count, 2)
                more_of_it = more_of(row["way"], times_of_one["seconds"])
                table.append({"way": name, **times_of_one, "times_plain": times, **more_of_it})
    return [*table, {"way": "auto", "is": f"{automatic.backend} {automatic.precision}"}]


def whole_volumes(
    model: StyleModel, direction: str, size: int, slices: int, repeats: int, device: str, every: bool = True
) -> list[dict[str, Any]]:
    """A volume from file to file: read, normalise, run, back to units and grid, write. Models are loaded before."""
    runners = ways_to_run(model, direction, device)
    if not every:
        runners = {"auto": runners["auto"]}
    network = _plain(model, direction, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "source.nrrd", Path(folder) / "output.nrrd"
        sitk.WriteImage(head_phantom(size, slices, model.card.spacing_mm or 1.0), str(source))

        def engine(runner: Any) -> None:
            translation = translate_volume(read_volume(source), model, direction=direction, runner=runner)
            write_volume(translation.volume, output)

        ways = {name: (lambda runner=runner: engine(runner)) for name, runner in runners.items()}
        more = {name: {"is": f"{runner.backend} {runner.precision}"} for name, runner in runners.items()}
        with _elsewhere(partial(plain_translate, source, output, network, model, direction), "cpu") as apart:
            return rows(in_turn({"plain": apart, **ways}, repeats), more)


def training_steps(
    size: int,
    ngf: int,
    n_blocks: int,
    repeats: int,
    device: str = "cpu",
    batches: tuple[int, ...] = (1, 4),
    generator: str = "resnet",
) -> list[dict[str, Any]]:
    """Seconds of a CycleGAN step with identity term, plain and as `sst train` does it, and images a second."""
    settings = {
        "source": "a",
        "target": "b",
        "output": "r",
        "max_steps": 1,
        "ngf": ngf,
        "n_blocks": n_blocks,
        "ndf": ngf,
        "patch_size": size,
        "pool_size": 0,
        "lambda_spatial": 0.0,
        "lambda_pairs": 0.0,
        "generator": generator,
    }

    def autocast() -> Any:
        return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=low)

    low = False
    config = load_config(None, settings)
    heap.keep_freed(heap.TO_TRAIN)
    method = CycleGAN(config, 1, 1, device, autocast)
    plain = PlainCycleGAN(method.networks())
    table = []
    for count in batches:
        random = torch.Generator().manual_seed(count)
        a, b = (torch.rand(count, 1, size, size, generator=random).to(device) * 2 - 1 for _ in range(2))
        batch = {"a": a, "b": b, "a_clean": a, "b_clean": b, "paired": torch.zeros(count, dtype=torch.bool)}

        def ours(reduced: bool, batch: dict = batch) -> None:
            nonlocal low
            low = reduced
            method.step(batch, 0.5, 2e-4)

        ways: dict[str, Callable[[], Any]] = {"fp32": partial(ours, False)}
        if bf16_helps(torch.device(device)):
            ways["bf16"] = partial(ours, True)
        # Not in turn with the others: two trainings of several images want more memory than many machines have.
        with _elsewhere(partial(plain.step, a, b), device) as apart:
            seconds = in_turn({"plain": apart}, repeats, _TO_SETTLE)
        for row in rows(seconds | in_turn(ways, repeats, _TO_SETTLE), in_pairs=False):
            table.append({"batch": count, **row, "images_per_second": round(count / row["seconds"], 3)})
    return table


def _elsewhere(function: Callable[[], Any], device: str) -> contextlib.AbstractContextManager[Callable[[], Any]]:
    """The plain way in a process of its own; on a GPU, whose memory is not the heap's, in this one."""
    return contextlib.nullcontext(function) if device not in ("auto", "cpu") else Elsewhere(function)


def _plain(model: StyleModel, direction: str, device: str) -> Any:
    network = plain_network(model.generator(direction)).eval()
    return network if device in ("auto", "cpu") else network.to(device)
