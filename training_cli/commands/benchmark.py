"""`sst benchmark`: this engine beside the plain way of running the same network, in one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from surgical_style_engine.errors import InputError


def benchmark(  # noqa: PLR0913 - a Typer command: one parameter an option
    model: Annotated[str, typer.Option("--model", help="model folder or name")] = "brain-mr-t1w-t2w",
    direction: Annotated[str, typer.Option("--direction", help="forward or backward")] = "forward",
    size: Annotated[int, typer.Option("--size", help="pixels a side of a slice")] = 256,
    slices: Annotated[int, typer.Option("--slices", help="slices of the volume")] = 48,
    repeats: Annotated[int, typer.Option("--repeats", help="runs of everything; medians are given")] = 3,
    training: Annotated[bool, typer.Option("--training", help="also a step of CycleGAN training (minutes)")] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables")] = False,
    output: Annotated[Optional[Path], typer.Option("--output", help="also write the JSON into this file")] = None,
) -> None:
    """Measure this machine: a slice, a whole volume from file to file, and on request a training step.

    The plain way is the same network and weights in eager fp32, one whole slice at a time, as the reference code of
    CycleGAN does it. Both run in turn; a ratio of 3 means three times as fast. "of peak" is the network's
    arithmetic as it is written down over the time, as a share of what a large convolution or matrix product reaches.
    """
    from surgical_style_engine.backends.devices import pick_device
    from surgical_style_engine.models.folder import load_model
    from training_cli.benchmark.measure import machine, network_alone, training_steps, whole_volumes

    for name, value, least in (("size", size, 32), ("slices", slices, 1), ("repeats", repeats, 1)):
        if value < least:
            raise InputError(f"--{name} is at least {least}, not {value}.")
    if size % 4:
        raise InputError(f"--size is a multiple of 4, as the plain way needs it, not {size}.")
    if output is not None and not output.absolute().parent.is_dir():
        raise InputError(f"The folder {output.absolute().parent} does not exist.")
    style = load_model(model)
    style.check_direction(direction)
    if style.card.stored.file == "model.onnx" or style.card.domain_from(direction).channels != 1:
        raise InputError("The benchmark takes models with weights for torch that translate scalar volumes.")
    chosen = str(pick_device(device))
    results: dict[str, Any] = {
        "machine": machine(chosen),
        "device": chosen,
        "model": style.card.name,
        "sha256": style.card.stored.sha256,
        "size": size,
        "slices": slices,
        "repeats": repeats,
        "slice": network_alone(style, direction, size, repeats, chosen),
        "volume": whole_volumes(style, direction, size, slices, repeats, chosen),
    }
    if training:
        results["training"] = training_steps(size, 64, 9, repeats, chosen)
    text = json.dumps(results, indent=2)
    if output is not None:
        from surgical_style_engine.common.atomic_write import replacing

        with replacing(output) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if as_json:
        typer.echo(text)
    else:
        _print(results)


def _print(results: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    about = results["machine"]
    console = Console()
    console.print(
        f"{about.get('gpu', about['processor'])}, {about['cores']} cores ({', '.join(about['features'])}), "
        f"torch {about['torch']}"
    )
    titles = {
        "slice": f"One slice of {results['size']} x {results['size']}, network alone",
        "volume": f"{results['size']} x {results['size']} x {results['slices']} from file to file",
        "training": f"A training step (ResNet-9/64, {results['size']} x {results['size']})",
    }
    for kind, title in titles.items():
        entries = [row for row in results.get(kind, []) if "seconds" in row]
        if not entries:
            continue
        table = Table(title=title, title_justify="left")
        batched = any("batch" in row for row in entries)
        shares = any("of_peak" in row for row in entries)
        images = ["images a second"] if batched else []
        names = ["way", "seconds", "times the plain way", "dB to plain"]
        for name in (["batch"] if batched else []) + names + (["of peak"] if shares else []) + images:
            table.add_column(name, justify="left" if name == "way" else "right")
        for row in entries:
            way = f"{row['way']} ({row['is']})" if row.get("is") and row["way"] == "auto" else row["way"]
            batch = [str(row["batch"])] if batched else []
            figures = [f"{row['seconds']:.3f}", f"{row['times_plain']:.2f}"]
            rate = [f"{row['images_per_second']:.2f}"] if batched else []
            share = [f"{row['of_peak']:.0%}" if "of_peak" in row else ""] if shares else []
            table.add_row(*batch, way, *figures, f"{row['psnr']:.1f}" if row.get("psnr") else "", *share, *rate)
        console.print(table)
