"""Every image as it is, and as other scanners, readers and users would have given it: what recognition is judged on."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from surgical_style_engine.volumes.recognise.kinds import CONTRASTS
from surgical_style_engine.volumes.recognise.patches import deep_patches, standardised, working_grid
from surgical_style_engine.volumes.recognise.values import hounsfield, seen
from surgical_style_engine.volumes.volume import Volume

from .cohort import Image, images

NAMES = ("as it is", "3 mm slices", "cropped", "one slice", "axes and sides swapped", "tone, bias and noise")
MORE_CROPS = 3  # of images of MR contrasts, so that a few tenths of a percent can be told
MORE_SLICES = (0.35, 0.45, 0.55, 0.65)  # where in the stack


def variants(image: Image) -> Iterator[tuple[str, Volume]]:
    """Names of variants and volumes; those that an image cannot have are left out."""
    volume = image.read()
    random = np.random.default_rng(zlib.crc32(image.name.encode()))
    yield NAMES[0], volume
    depth = volume.array.shape[1]
    if depth > 1:
        if max(volume.spacing) < 2:
            yield NAMES[1], _thick(volume)
        yield NAMES[2], _cropped(volume, random)
        place = round(depth * random.uniform(0.42, 0.62))
        yield NAMES[3], replace(volume, array=volume.array[:, place : place + 1])
        yield NAMES[4], _swapped(volume)
    yield NAMES[5], _another_tone(volume, random)
    if image.truth in CONTRASTS and depth > 1:
        random = np.random.default_rng(zlib.crc32(f"{image.name}more".encode()))
        for number in range(MORE_CROPS):
            yield f"{NAMES[2]} {number}", _cropped(volume, random)
        for number, share in enumerate(MORE_SLICES):
            place = round(depth * share)
            yield f"{NAMES[3]} {number}", replace(volume, array=volume.array[:, place : place + 1])
    if image.truth == "CT":
        yield "stored from 0 on", replace(volume, array=np.clip(volume.array + 1024.0, 0, 4095).astype(np.uint16))
        yield "signed 16 bit", replace(volume, array=np.clip(volume.array, -1024, 3071).astype(np.int16))


def _thick(volume: Volume) -> Volume:
    whole = volume.array.shape[1] // 3 * 3
    blocks = volume.array[:, :whole].astype(np.float32).reshape(1, -1, 3, *volume.array.shape[2:])
    x, y, z = volume.spacing
    return replace(volume, array=blocks.mean(axis=2), spacing=(x, y, 3 * z))


def _cropped(volume: Volume, random: np.random.Generator) -> Volume:
    """Two thirds along every axis, anywhere."""
    parts = []
    for size in volume.array.shape[1:]:
        length = max(1, size * 2 // 3)
        start = int(random.integers(0, size - length + 1))
        parts.append(slice(start, start + length))
    return replace(volume, array=np.ascontiguousarray(volume.array[(slice(None), *parts)]))


def _swapped(volume: Volume) -> Volume:
    """As a reader gives it who takes x for y and turns over two axes."""
    x, y, z = volume.spacing
    array = volume.array.transpose(0, 3, 1, 2)[:, ::-1, :, ::-1]
    return replace(volume, array=np.ascontiguousarray(array), spacing=(y, z, x))


def _another_tone(volume: Volume, random: np.random.Generator) -> Volume:
    """A gamma, a bias field and noise of a scanner."""
    values = volume.array[0].astype(np.float32)
    low, high = np.percentile(values, (0.1, 99.8))
    share = np.clip((values - low) / (high - low), 0, None) ** float(np.exp(random.uniform(-0.35, 0.35)))
    axes = [np.linspace(-1, 1, size, dtype=np.float32) for size in values.shape]
    tilt = sum(
        float(random.uniform(-0.2, 0.2)) * axis.reshape([-1 if i == number else 1 for i in range(3)])
        for number, axis in enumerate(axes)
    )
    share = share * np.exp(tilt) + random.normal(0, 0.02, values.shape).astype(np.float32) * (share > 0)
    return volume.with_array((low + share * (high - low))[None].astype(np.float32))


def store_variants(data: Path, folder: Path) -> None:
    """Write the standardised patches of every variant of every image into a folder once, and how much is seen there."""
    folder.mkdir(parents=True, exist_ok=True)
    for image in images(data):
        path = folder / f"{image.name}.npz"
        if path.exists():
            continue
        patches = {}
        for name, volume in variants(image):
            grid = working_grid(volume)
            patches[name] = standardised(*deep_patches(grid)).astype(np.float16)
            patches[f"{name}|seen"], patches[f"{name}|in_hu"] = np.array(seen(grid)), np.array(str(hounsfield(grid)))
        np.savez(path, **patches)


def variants_of(stored: Mapping) -> list[str]:
    """The names of the variants in such a file."""
    return [name for name in stored if "|" not in name]
