"""Parts of images, as users give them, with the depth that the recogniser finds in them; and heads around brains.

Most real brains at hand are extracted. So that a head does not mean the contrast of the few heads that there are, some
get a skull, a scalp and what lies below them of random brightness.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from surgical_style_engine.volumes.recognise.patches import depth_of

from .cohort import Grid

SHARE_WHOLE, SHARE_CROPPED = 0.35, 0.35  # of what is drawn; the rest are single slices
LEAST_LENGTH = 0.45  # of an axis
LEAST_AREA = 0.35  # of the largest slice of a body, for a slice to be taken alone
ALSO_CROPPED = 0.3  # share of single slices of which a side is missing
SHARE_DRESSED = 0.35  # of extracted brains
ROOM_MM = 26.0  # around a brain for what is put there
FACE_MM = 30.0  # how far a face and a neck reach
CUTS = {"whole": 6, "cropped": 5, "slice": 2}  # patches that are cut of one part


def drawn(grid: Grid, random: np.random.Generator) -> tuple[Grid, int]:
    """The whole grid, a crop, or one slice of it, and how many patches to cut there."""
    share, is_flat = random.random(), 1 in grid.values.shape
    if share < SHARE_WHOLE:
        return grid, CUTS["whole"]
    if share < SHARE_WHOLE + SHARE_CROPPED or is_flat:
        return cropped(grid, random), CUTS["cropped"]
    one = slice_of(grid, random)
    return (cropped(one, random) if random.random() < ALSO_CROPPED else one), CUTS["slice"]


def cropped(grid: Grid, random: np.random.Generator) -> Grid:
    """A box anywhere with something of the body."""
    for _ in range(20):
        box = []
        for size in grid.values.shape:
            length = max(1, round(size * random.uniform(LEAST_LENGTH, 1)))
            start = int(random.integers(0, size - length + 1))
            box.append(slice(start, start + length))
        if grid.body[tuple(box)].mean() > 0.15:
            return _part(grid, tuple(box), grid.planes)
    return grid


def slice_of(grid: Grid, random: np.random.Generator) -> Grid:
    """One slice that holds much of the body."""
    axis = int(random.choice(grid.planes))
    areas = np.moveaxis(grid.body, axis, 0).sum(axis=(1, 2))
    index = int(random.choice(np.flatnonzero(areas >= LEAST_AREA * areas.max())))
    box = [slice(None)] * 3
    box[axis] = slice(index, index + 1)
    return _part(grid, tuple(box), (axis,))


def dressed(grid: Grid, random: np.random.Generator, bright_fluid: bool) -> Grid:
    """A brain with fluid, a dark skull, a scalp and a face around, all but the fluid of random brightness."""
    steps = grid.spacing[::-1]
    room = [(round(ROOM_MM / step), round(ROOM_MM / step)) for step in steps]
    brain, values = np.pad(grid.body, room), np.pad(grid.values.astype(np.float32), room)
    far = distance_transform_edt(~brain, steps) + 2 * _texture(brain.shape, random, 6)
    fluid, skull, scalp = random.uniform(0, 4), random.uniform(3, 9), random.uniform(3, 9)
    own = values[brain]
    dark, bright = np.percentile(own, (3, 98))
    is_face = _below(brain, steps, random) & (far > fluid + skull / 2)
    noise = 0.05 * random.normal(size=brain.shape).astype(np.float32)
    layers = (
        (far <= fluid, bright if bright_fluid else dark),
        ((far > fluid) & (far <= fluid + skull), random.uniform(0, 0.3)),
        ((far > fluid + skull) & (far <= fluid + skull + scalp), random.uniform(0.1, 1.4)),
    )
    head = np.where(brain, values, 0)
    body = brain.copy()
    for where, level in layers:
        head = np.where(where & ~brain, level + noise, head)
        body |= where
    face = random.uniform(0.2, 0.7) + random.uniform(0.1, 0.4) * _texture(brain.shape, random, random.uniform(1.5, 4))
    head = np.where(is_face & ~brain, np.clip(face, 0, 1.5) + noise, head)
    body |= is_face
    full = replace(grid, values=head.astype(np.float16), body=body, _places={})
    return _part(full, (slice(None),) * 3, grid.planes)


def _below(brain: np.ndarray, steps: tuple[float, ...], random: np.random.Generator) -> np.ndarray:
    """What is about as wide as a brain and lies beyond one of its two ends along the first axis."""
    where = np.flatnonzero(brain.any(axis=(1, 2)))
    low, high = where[0], where[-1]
    mean = brain.mean(axis=0) > 0.15
    third = (high - low) // 3
    planes = np.arange(len(brain))[:, None, None]
    is_end = planes < low + third if random.random() < 0.5 else planes > high - third
    return is_end & mean & (distance_transform_edt(~brain, steps) < FACE_MM)


def _texture(shape: tuple[int, ...], random: np.random.Generator, width: float) -> np.ndarray:
    """Smooth noise of unit spread."""
    noise = gaussian_filter(random.normal(size=shape).astype(np.float32), width)
    return noise / noise.std()


def _part(grid: Grid, box: tuple[slice, ...], planes: tuple[int, ...]) -> Grid:
    body = grid.body[box]
    depth = depth_of(body, grid.spacing, planes)
    depth = (depth / max(float(depth.max()), 1e-6)).astype(np.float16)
    return replace(grid, values=grid.values[box], depth=depth, body=body, planes=planes, _places={})
