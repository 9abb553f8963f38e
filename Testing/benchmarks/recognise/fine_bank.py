"""Single slices at 1 mm that the slices' network learns from: of all planes, thin and thick, as brains and as heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.recognise.kinds import CONTRASTS, T2W
from surgical_style_engine.volumes.recognise.patches import DEEP, FINE_MM, working_grid
from surgical_style_engine.volumes.volume import Volume

from .cohort import CHECK, Image, healed, images
from .parts import LEAST_AREA

ROOM = 184  # pixels cut about what is deep, before turning and zooming
COUNT, RARE = 72, 144  # slices of an image; of one of a group with fewer than three
SHARE_HEALED = 0.7
SHARE_MIXED = 0.5
SHARE_DRESSED = 0.45
ACQUIRED = 0.6  # share of slices across the first axis, where the others are as fine
FINE = 1.6  # mm between slices, up to which all planes are taken
LEAST_BODY = 0.12  # of the brightest
THICK = (1, 1, 2, 3, 4, 5)  # of thin slices are averaged
# Contrasts with so much of another in them, as other echo times and field strengths would give.
MIXED = {
    "T1w": (("T2w", -0.15, 0.15), ("FLAIR", -0.15, 0.25)),
    "T1w-Gd": (("T1w", 0.0, 1.5), ("T2w", -0.15, 0.12)),
    "T2w": (("FLAIR", 0.0, 0.35), ("T1w", -0.2, 0.1)),
    "FLAIR": (("T1w", -0.25, 0.2), ("T2w", -0.1, 0.1)),
}


@dataclass(eq=False)
class Slices:
    """Slices of one image.

    Attributes:
        kind: number in CONTRASTS.
        group: images of one site and one preprocessing.
        site: that may be left out.
        patient: the same.
        values: (n, ROOM, ROOM) float16, in [0, 1] between two percentiles.
        depth: (n, ROOM, ROOM) uint8, 255 the deepest.
    """

    kind: int
    group: str
    site: str
    patient: str
    values: torch.Tensor
    depth: torch.Tensor


def slices_of_all(data: Path, path: Path, report=print) -> list[Slices]:
    """The slices of all images but the check patients', kept in a file."""
    if path.exists():
        return [Slices(**entry) for entry in torch.load(path, weights_only=True)]
    known = [image for image in images(data) if image.truth in CONTRASTS and image.patient not in CHECK]
    kept = []
    for number, (image, volumes, others) in enumerate(_with_others(known)):
        like = (image.truth, image.site, image.extracted)
        alike = [one for one in known if (one.truth, one.site, one.extracted) == like]
        random = np.random.default_rng(number)
        made = _slices(image, volumes, others, COUNT if len(alike) >= 3 else RARE, random)
        kept.append(made)
        report(f"{number + 1}/{len(known)} {image.name} {len(made.values)}")
    torch.save([vars(entry) for entry in kept], path)
    return kept


def _with_others(known: list[Image]) -> Iterator[tuple[Image, list[Volume], dict[str, Volume]]]:
    """Every image with its volumes, as it is and healed where there is a tumour, and the patient's other contrasts."""
    for image in known:
        volume = image.read()
        volumes = [volume, mended] if (mended := healed(image, volume)) is not None else [volume]
        others = {}
        for other in known if image.extracted else []:
            if other.patient == image.patient and other is not image:
                there = other.read()
                there = healed(other, there) or there
                if there.array.shape == volume.array.shape:
                    others[other.truth] = there
        yield image, volumes, others


def _slices(
    image: Image, volumes: list[Volume], others: dict[str, Volume], count: int, random: np.random.Generator
) -> Slices:
    """So many slices of an image.

    Args:
        image: the first volume's.
        volumes: as it is, and healed where there is a tumour.
        others: the patient's other contrasts on the same grid.
        count: how many.
        random: generator.
    """
    values, depths = [], []
    scaled = [_scaled(volume) for volume in volumes]
    beside = {kind: _scaled(volume) for kind, volume in others.items()}
    spacing = volumes[0].spacing[::-1]
    fine, body = max(spacing) <= FINE, scaled[0] > LEAST_BODY
    areas = [body.mean(axis=other) for other in ((1, 2), (0, 2), (0, 1))]
    while len(values) < count:
        axis = int(random.choice(3, p=(ACQUIRED, *[(1 - ACQUIRED) / 2] * 2))) if fine else 0
        array = scaled[-1] if random.random() < SHARE_HEALED else scaled[0]
        index = int(random.choice(np.flatnonzero(areas[axis] >= LEAST_AREA * areas[axis].max())))
        thick = int(random.choice(THICK)) if fine else 1
        box = [slice(None)] * 3
        box[axis] = slice(index, index + thick)
        flat = array[tuple(box)].mean(axis=axis)
        if beside and random.random() < SHARE_MIXED:
            for kind, low, high in MIXED[image.truth]:
                if kind in beside:
                    flat = flat + random.uniform(low, high) * beside[kind][tuple(box)].mean(axis=axis)
        steps = [step for number, step in enumerate(spacing) if number != axis]
        if image.extracted and random.random() < SHARE_DRESSED:
            flat = dressed_slice(flat, array[tuple(box)].mean(axis=axis) > 0, steps, image.truth == T2W, random)
        cut = _cut_of(Volume(flat[None, None].astype(np.float32), (steps[1], steps[0], 4.0)))
        if cut is not None:
            values.append(cut[0])
            depths.append(cut[1])
    group = f"{image.site} {'brains' if image.extracted else 'heads'}"
    kept = (torch.from_numpy(np.stack(part)) for part in (values, depths))
    return Slices(CONTRASTS.index(image.truth), group, image.site, image.patient, *kept)


def _scaled(volume: Volume) -> np.ndarray:
    """(z, y, x) float32 with air at 0 and the brightest at about 1."""
    values = volume.array[0].astype(np.float32)
    low = float(np.percentile(values, 0.5))
    body = values[values > low + 0.05 * (np.percentile(values, 99.8) - low)]
    return (values - low) / (float(np.percentile(body, 99.5)) - low)


def _cut_of(volume: Volume) -> tuple[np.ndarray, np.ndarray] | None:
    """A slice's values and depth (ROOM, ROOM) about the middle of what is deep, as the engine sees it."""
    try:
        grid = working_grid(volume, FINE_MM)
    except InputError:
        return None
    values, depth, body = grid.volume.array[0, 0], grid.depth[0], grid.body[0]
    deepest = float(depth.max())
    if deepest < 15:
        return None
    inner = body & (depth > 0.2 * deepest)
    low, high = np.percentile(values[inner], (0.5, 99.5))
    if not high > low:
        return None
    scaled = np.clip((values - low) / (high - low), -1, 3)
    middle = [round(float(part.mean())) for part in np.nonzero(depth >= DEEP * deepest)]
    cut = np.zeros((2, ROOM, ROOM), np.float32)
    deepness = depth / deepest
    first = [place - ROOM // 2 for place in middle]
    taken = [slice(max(0, start), min(start + ROOM, size)) for start, size in zip(first, values.shape, strict=True)]
    put = tuple(slice(part.start - start, part.stop - start) for part, start in zip(taken, first, strict=True))
    for layer, image in zip(cut, (scaled, deepness), strict=True):
        layer[put] = image[tuple(taken)]
    return cut[0].astype(np.float16), np.round(255 * cut[1]).astype(np.uint8)


def dressed_slice(
    values: np.ndarray, brain: np.ndarray, steps: list[float], bright_fluid: bool, random: np.random.Generator
) -> np.ndarray:
    """A slice of a brain (h, w) with fluid, a dark skull and a scalp around, all but the fluid of random brightness."""
    room = [(round(26 / step), round(26 / step)) for step in steps]
    brain, values = np.pad(brain, room), np.pad(values, room)
    far = distance_transform_edt(~brain, steps) + 2 * _texture(brain.shape, random, 8)
    fluid, skull, scalp = random.uniform(0, 4), random.uniform(3, 9), random.uniform(3, 9)
    dark, bright = np.percentile(values[brain], (3, 98)) if brain.any() else (0, 1)
    noise = 0.05 * random.normal(size=brain.shape)
    soft = random.uniform(0.1, 1.4) + random.uniform(0, 0.3) * _texture(brain.shape, random, random.uniform(1.5, 5))
    layers = (
        (far <= fluid, bright if bright_fluid else dark),
        ((far > fluid) & (far <= fluid + skull), random.uniform(0, 0.3)),
        ((far > fluid + skull) & (far <= fluid + skull + scalp), soft),
    )
    head = np.where(brain, values, 0)
    for where, level in layers:
        head = np.where(where & ~brain, np.maximum(level + noise, 0), head)
    return gaussian_filter(head, 0.5) if random.random() < 0.5 else head


def _texture(shape: tuple[int, ...], random: np.random.Generator, width: float) -> np.ndarray:
    """Smooth noise of unit spread."""
    noise = gaussian_filter(random.normal(size=shape).astype(np.float32), width)
    return noise / noise.std()
