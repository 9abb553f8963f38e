"""`sst doctor`: what hardware, backends and packages are found, and what would make it faster."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib import metadata
from typing import Annotated, Any

import typer

NEEDED = ("torch", "torchvision", "numpy", "SimpleITK", "safetensors", "pydantic", "monai", "accelerate")
OPTIONAL = {
    "openvino": "a faster backend on the CPU",
    "onnxruntime": "imported ONNX models",
    "onnx": "importing ONNX models",
    "nilearn": "the demo's volume",
    "tensorboard": "training curves in TensorBoard",
}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table")] = False,
) -> None:
    """Look at this machine: devices, precisions, packages, models, and what would make it faster.

    Exit code 1 if something that translating needs is missing or damaged.
    """
    report = examine()
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        _print(report)
    if report["problems"]:
        raise typer.Exit(1)


def examine() -> dict[str, Any]:
    """Everything the command shows: machine, devices, packages, models, problems and hints (JSON types)."""
    from surgical_style_engine.backends.devices import (
        bf16_helps,
        cpu_features,
        device_name,
        list_devices,
        processor_name,
    )
    from surgical_style_engine.errors import StyleTransferError
    from surgical_style_engine.models.folder import verify_model
    from surgical_style_engine.models.names import list_models

    packages = {name: _version(name) for name in (*NEEDED, *OPTIONAL)}
    problems = [f"The package {name} is missing: pip install {name}." for name in NEEDED if packages[name] is None]
    devices = []
    for device in list_devices():
        devices.append(
            {
                "name": device.name,
                "title": device.title,
                "free_bytes": device.free_bytes,
                "total_bytes": device.total_bytes,
                "bf16": bf16_helps(device.name),
            }
        )
    models = []
    for folder, card, problem in list_models():
        if card is not None:
            try:
                verify_model(folder)
            except StyleTransferError as error:
                problem = str(error)
        models.append({"name": folder.name, "folder": str(folder), "problem": problem})
        if problem:
            problems.append(problem)
    if not models:
        problems.append("There is no model; train one (sst train) or import one (sst models import).")
    report = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "features": sorted(cpu_features() & {"avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8"}),
        "devices": devices,
        "auto_device": device_name("auto"),
        "packages": packages,
        "models": models,
        "problems": problems,
    }
    report["hints"] = _hints(report)
    return report


def _hints(report: dict) -> list[str]:
    hints = []
    on_cpu = report["auto_device"] == "cpu"
    if on_cpu:
        hints.append("No GPU is used. With an NVIDIA card, install torch's CUDA build and its driver.")
    if on_cpu and report["packages"]["openvino"] is None:
        hints.append("OpenVINO is up to 1.7 times as fast as torch on CPUs: pip install openvino; auto measures both.")
    return hints


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _print(report: dict) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("Python", f"{report['python']} ({escape(sys.executable)})")
    table.add_row("System", escape(report["system"]))
    table.add_row(
        "Processor", escape(f"{report['processor']}, {report['cores']} cores, {' '.join(report['features'])}")
    )
    for device in report["devices"]:
        memory = _memory(device["free_bytes"], device["total_bytes"])
        used = " <- auto" if device["name"] == report["auto_device"] else ""
        precision = "bf16" if device["bf16"] else "fp32"
        table.add_row(f"Device {device['name']}", escape(f"{device['title']}, {memory}, {precision}{used}"))
    for name in NEEDED:
        table.add_row(name, report["packages"][name] or "[red]missing[/red]")
    for name, use in OPTIONAL.items():
        table.add_row(name, report["packages"][name] or f"not installed ({use})")
    for model in report["models"]:
        table.add_row(f"Model {escape(model['name'])}", escape(model["problem"]) or f"whole, {escape(model['folder'])}")
    console.print(table)
    for problem in report["problems"]:
        console.print(f"[red]Problem:[/red] {escape(problem)}", soft_wrap=True)
    for hint in report["hints"]:
        console.print(f"Faster: {escape(hint)}", soft_wrap=True)


def _memory(free: int | None, total: int | None) -> str:
    return "memory unknown" if total is None else f"{(free or 0) / 2**30:.1f} of {total / 2**30:.1f} GiB free"
