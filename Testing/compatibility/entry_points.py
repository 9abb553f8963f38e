"""Where the present code has what the tests of compatibility call: the only file to change when modules move.

Every import is inside its function, so that a part that moved fails its own tests and no others.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


def version() -> str:
    from surgical_style_engine import __version__

    return __version__


# Volumes and their files
def volume(array: np.ndarray, *geometry: Any, **more: Any) -> Any:
    """A Volume of an array (c, z, y, x); the rest as its fields."""
    from surgical_style_engine.volumes.volume import Volume

    return Volume(array, *geometry, **more)


def read_volume(path: Path) -> Any:
    from surgical_style_engine.imageio.read import read_volume

    return read_volume(path)


def write_volume(image: Any, path: Path) -> None:
    from surgical_style_engine.imageio.write import write_volume

    write_volume(image, path)


def write_dicom(volume: Any, source: Path, output: Path, model: Any, direction: str, strength: float) -> None:
    """Write ``volume``, the translation of the DICOM series in the folder ``source``, as a series into ``output``."""
    from surgical_style_engine.imageio.dicom.source import open_series
    from surgical_style_engine.models.dicom_output import write_dicom_series

    series = open_series(source, read_volume(source), model.card.domain_to(direction))
    write_dicom_series(volume, series, output, model.card, direction, strength=strength)


# Before and after the network
def normalized(array: np.ndarray, specification: dict) -> tuple[np.ndarray, np.ndarray]:
    """An array in the units of a normalisation fitted to it, and brought back from them."""
    from surgical_style_engine.volumes.normalization import parse_normalization

    landmarks = parse_normalization(specification).fit(array)
    forward = landmarks.forward(array)
    return forward, landmarks.inverse(forward)


def from_units(normalized_array: np.ndarray, landmarks: dict) -> np.ndarray:
    """A normalised array in the units that landmarks of a model card state."""
    from surgical_style_engine.volumes.normalization import parse_landmarks

    return parse_landmarks(landmarks).inverse(normalized_array)


def resize_in_plane(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from surgical_style_engine.volumes.resampling import resize_in_plane

    return resize_in_plane(array, size)


def resample_like(moving: Any, reference: Any, interpolation: str) -> Any:
    from surgical_style_engine.volumes.resampling import resample_like

    return resample_like(moving, reference, interpolation)


def to_canonical(image: Any) -> Any:
    from surgical_style_engine.volumes.geometry import to_canonical

    return to_canonical(image)[0]


def body_mask(image: Any) -> np.ndarray:
    from surgical_style_engine.volumes.body_mask import body_mask

    return body_mask(image)


def flatten_bias(image: Any) -> Any:
    from surgical_style_engine.volumes.bias_field import flatten_bias

    return flatten_bias(image)


def register(fixed: Any, moving: Any, kind: str) -> Any:
    """RegistrationResult of a rigid or an affine registration."""
    from surgical_style_engine.volumes import registration

    return getattr(registration, f"register_{kind}")(fixed, moving)


# Models and what they compute
def load_model(folder: Path) -> Any:
    from surgical_style_engine.models.folder import load_model

    return load_model(folder)


def network(model: Any, direction: str) -> Any:
    """The torch network of a direction."""
    return model.generator(direction)


def save_tiny_models(folder: Path) -> None:
    """Grey, colour and fusion models of ``tiny_models`` into a folder; used only to make the fixtures."""
    from tiny_models import make_tiny_fusion_model, make_tiny_model

    make_tiny_model(folder, "tiny")
    make_tiny_model(folder, "tiny-colour", title="Photograph to painting", channels=3, modality="")
    make_tiny_fusion_model(folder)


def reference_generator(seed: int) -> Any:
    """A small ResNet in the layout of the CycleGAN code; used only to make the fixtures."""
    import torch

    from surgical_style_engine.networks import build_generator

    torch.manual_seed(seed)
    return build_generator("resnet_reference", in_channels=3, out_channels=3, ngf=4, n_blocks=2)


def translate(image: Any, model: Any, adjustments: dict | None = None, **options: Any) -> Any:
    """A Translation by the CPU in single precision through torch; adjustments: of the class Adjustments, by name."""
    from surgical_style_engine.adjust import Adjustments
    from surgical_style_engine.inference.translate import translate_volume

    common = {"device": "cpu", "precision": "fp32"}
    if model.card.architecture.name not in ("onnx", "style-image"):
        common["backend"] = "torch"
    return translate_volume(image, model, adjustments=Adjustments(**(adjustments or {})), **common, **options)


@contextlib.contextmanager
def everything_is_large() -> Iterator[None]:
    """Within it, every volume is translated slice by slice, as only huge ones are otherwise."""
    from surgical_style_engine.common import thresholds

    before, thresholds.LARGEST_WHOLE = thresholds.LARGEST_WHOLE, 10
    try:
        yield
    finally:
        thresholds.LARGEST_WHOLE = before


def readjusted(image: Any, model: Any, translation: Any, strength: float) -> Any:
    """The Translation with another strength, without running the network."""
    from surgical_style_engine.inference.readjust import readjust

    return readjust(image, model, translation, strength=strength)


def fuse(volumes: list, method: str, model: Any = None) -> Any:
    """A Fusion by rules, or by a model where one is given."""
    from surgical_style_engine.fusion import fuse_learned, fuse_volumes

    if model is not None:
        return fuse_learned(volumes, model, register="none", device="cpu", precision="fp32", backend="torch")
    return fuse_volumes(volumes, method=method, register="none")


def stylize(image: Any, picture: np.ndarray, settings: dict) -> Any:
    """Translation of a volume in the style of a picture (3, h, w) in [0, 1]."""
    from surgical_style_engine.inference.stylize import stylize_volume
    from surgical_style_engine.models.style_settings import parse_settings

    return stylize_volume(image, picture, parse_settings(settings), device="cpu").translation


def read_picture(path: Path) -> np.ndarray:
    from surgical_style_engine.imageio.style_picture import read_picture

    return read_picture(path)


# Figures
def quality(image: Any, model: Any, translation: Any, reference: Any) -> dict:
    """All quality figures of a translation, by the keys of the JSON report."""
    from surgical_style_engine.app.judge_case import JudgeCase, judge_case
    from surgical_style_engine.common.run_options import RunOptions

    options = RunOptions(device="cpu", precision="fp32", backend="torch")
    return judge_case(JudgeCase(image, model, translation, reference=reference, options=options)).quality


def kid(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """(mean, deviation) of the kernel MMD between the slice statistics of two stacks (n, h, w) in [-1, 1]."""
    from surgical_style_engine.metrics.set_distance import kernel_mmd, slice_features

    return kernel_mmd(slice_features(first), slice_features(second))


def fusion_quality(fusion: Any) -> dict:
    from surgical_style_engine.fusion import fusion_quality

    return fusion_quality(fusion)


def read_report(path: Path) -> dict:
    from surgical_style_engine.app.report import read_report

    return read_report(path)


# Training
def training_settings(path: Path | None, values: dict | None = None) -> dict:
    """The settings of a YAML file, or of values by name, as plain JSON by the names of version 0.1.0."""
    from training_cli.training.config import load_config

    return load_config(path, values or {}).model_dump(mode="json")


def training_defaults() -> dict:
    """Every setting of a training that need not be given, with its default, as plain JSON."""
    from training_cli.training.config import TrainingConfig

    values = TrainingConfig(source="a", target="b", output="c", max_steps=1).model_dump(mode="json")
    return {name: value for name, value in values.items() if name not in ("source", "target", "output", "max_steps")}


def train_losses(values: dict) -> list[dict[str, float]]:
    """The losses of every step of a training with these settings."""
    from training_cli.training.config import load_config
    from training_cli.training.loop import train

    steps: list[dict[str, float]] = []
    train(load_config(None, values), bar=lambda done, step, losses, left: steps.append(dict(losses)))
    return steps


# The command
def sst(*arguments: object) -> tuple[int, str, str]:
    """Run ``sst`` in this process: (exit code, stdout, stderr)."""
    from training_cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    sys.stdout.flush()
    return code, out.getvalue(), err.getvalue()


def commands() -> list[tuple[str, ...]]:
    """Every command and subcommand of ``sst``, as the words that follow it."""
    from training_cli.main import COMMANDS

    groups = {"models": ("list", "show", "verify", "import", "export", "remove")}
    return [
        (name, *rest) for name in COMMANDS for rest in ([(part,) for part in groups[name]] if name in groups else [()])
    ]
