"""Patches from deep inside a body: what the recogniser looks at.

Deep inside, whole heads and extracted brains look alike, and neither scalp nor air says which scanner it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.volume import Volume

if TYPE_CHECKING:
    import SimpleITK

SIDE = 64  # pixels of a patch
PIXEL_MM = 2.0
FINE_SIDE, FINE_MM = 128, 1.0  # of patches of single slices (`fine`), where the cortex has to be seen
THICK_MM = 2.5  # from this distance of slices on, other planes than the acquired one are too coarse to look at
DEEP = 0.6  # of the largest depth: slices and centres of patches are taken from here on
SHELL = 0.25  # of the largest depth: scalp and skull of a head, the rim of an extracted brain; not looked at
OUTSIDE = -2.5  # what air, and what lies beyond the image, become
MOST_SLICES = 160  # that are looked at along an axis before anything is averaged
PATCHES = 15  # of a volume, at most
MOST_CUT = 0.35  # of a side of the image that the body may touch, as ears and noses do; more, and it is cut through
LEAST_INSIDE = 0.1  # share of a patch that has to be body


@dataclass(frozen=True, eq=False)
class WorkingGrid:
    """A volume at about PIXEL_MM, or FINE_MM.

    Attributes:
        volume: (1, z, y, x) float32.
        body: bool (z, y, x).
        depth: (z, y, x) float32, mm from the body's or the image's edge, 0 outside.
        planes: axes of the array (0 for z) that slices are taken across.
    """

    volume: Volume
    body: np.ndarray
    depth: np.ndarray
    planes: tuple[int, ...]


def working_grid(volume: Volume, pixel_mm: float = PIXEL_MM) -> WorkingGrid:
    """Bring a volume onto the grid that patches are taken from.

    Axes finer than THICK_MM get pixels of one size, by averaging and linear interpolation; coarser ones keep their
    slices.

    Args:
        volume: (1, z, y, x) of any units.
        pixel_mm: size of pixels in mm.

    Returns:
        The grid. Where slices are thick, or there is a single one, only their plane is looked at.

    Raises:
        InputError: for a constant volume.
    """
    coarse = _at_pixel_mm(_averaged(volume, pixel_mm), pixel_mm)
    body = _body(coarse)
    spacing = coarse.spacing[::-1]
    sizes = coarse.array.shape[1:]
    flat = [axis for axis in range(3) if sizes[axis] == 1]
    coarsest = int(np.argmax(spacing))
    planes = (flat[0],) if flat else (coarsest,) if spacing[coarsest] >= THICK_MM else (0, 1, 2)
    return WorkingGrid(coarse, body, depth_of(body, coarse.spacing, planes), planes)


def deep_patches(grid: WorkingGrid, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Take patches from deep inside the body.

    Args:
        grid: of a volume.
        side: of patches, in pixels.

    Returns:
        (n, side, side) float32 in the volume's units, and bool of the same shape: what is body below its shell. n may
        be 0.
    """
    deepest = float(grid.depth.max())
    images, insides = [], []
    deep = grid.depth >= DEEP * deepest if deepest > 0 else grid.body
    below_shell = grid.body & (grid.depth >= SHELL * deepest)
    each = PATCHES // len(grid.planes)
    for axis in grid.planes:
        values, body, core = (np.moveaxis(array, axis, 0) for array in (grid.volume.array[0], below_shell, deep))
        with_core = np.flatnonzero(core.any(axis=(1, 2)))
        if not with_core.size:
            continue
        places = np.unique(np.linspace(0, with_core.size - 1, each).round().astype(int))
        for index in with_core[places]:
            for window in _windows(core[index], each // len(places), side):
                images.append(_cut(values[index], window, side, float(values.min())))
                insides.append(_cut(body[index], window, side, False))
    if not images:
        return np.empty((0, side, side), np.float32), np.empty((0, side, side), bool)
    return np.stack(images).astype(np.float32), np.stack(insides)


def standardised(images: np.ndarray, insides: np.ndarray) -> np.ndarray:
    """Bring patches to what a network takes: once by their percentiles, once by their ranks.

    Args:
        images: (n, h, w) of any units.
        insides: bool (n, h, w), what is body.

    Returns:
        (m, 2, h, w) float32: values with the 2nd and 98th percentiles of the body 2 apart and the median at 0, and
        ranks in [-1, 1]; without the patches that hold too little body or are constant.
    """
    patches = []
    for image, inside in zip(images, insides, strict=True):
        values = image[inside]
        if values.size < LEAST_INSIDE * inside.size:
            continue
        ordered = np.sort(values)
        low, middle, high = (float(ordered[int(share * (ordered.size - 1))]) for share in (0.02, 0.5, 0.98))
        if not high > low:
            continue
        scaled = np.clip((image - middle) * (2 / (high - low)), OUTSIDE, -OUTSIDE)
        below, upto = (np.searchsorted(ordered, image, side) for side in ("left", "right"))
        ranks = (below + upto) / ordered.size - 1
        patches.append([np.where(inside, scaled, OUTSIDE), np.where(inside, ranks, -1)])
    return np.asarray(patches, np.float32).reshape(-1, 2, *images.shape[1:])


def _averaged(volume: Volume, pixel_mm: float) -> Volume:
    """Means of blocks, so that voxels have nearly the size where they were finer; long axes are thinned out first."""
    array = volume.array[:1]
    spacing = list(volume.spacing[::-1])
    for axis in range(3):
        size = array.shape[axis + 1]
        block = max(1, min(int(pixel_mm / spacing[axis] + 0.25), size // 8))
        skip = max(1, size // (MOST_SLICES * block)) if axis == 0 else 1
        if skip * block == 1:
            continue
        whole = size // (skip * block) * skip * block
        cut = np.moveaxis(array, axis + 1, 1)[:, :whole]
        blocks = cut.reshape(cut.shape[0], -1, skip * block, *cut.shape[2:])[:, :, :block]
        array = np.moveaxis(blocks.mean(axis=2, dtype=np.float32), 1, axis + 1)
        spacing[axis] *= skip * block
    array = np.ascontiguousarray(array, dtype=np.float32)
    return Volume(array, (spacing[2], spacing[1], spacing[0]))


def _at_pixel_mm(volume: Volume, pixel_mm: float) -> Volume:
    """Axes with less than THICK_MM between voxels at exactly this size."""
    import SimpleITK as sitk

    steps = [pixel_mm if step < THICK_MM else step for step in volume.spacing]
    size = [
        max(1, round(count * step / new)) for count, step, new in zip(volume.size, volume.spacing, steps, strict=True)
    ]
    if tuple(size) == volume.size:
        return replace(volume, spacing=(steps[0], steps[1], steps[2]))
    image = sitk.Resample(
        volume.to_sitk(),
        size,
        sitk.Transform(3, sitk.sitkIdentity),
        sitk.sitkLinear,
        [0.0, 0.0, 0.0],
        steps,
        np.eye(3).ravel().tolist(),
        float(volume.array.min()),
    )
    return Volume(sitk.GetArrayFromImage(image)[None], (steps[0], steps[1], steps[2]))


def _body(volume: Volume) -> np.ndarray:
    """The body mask (z, y, x), found at half the resolution: its edge is of no importance here."""
    import SimpleITK as sitk

    steps = [2 if size >= 64 and step <= 3 else 1 for size, step in zip(volume.size, volume.spacing, strict=True)]
    image = sitk.BinShrink(volume.to_sitk(), steps)
    array = sitk.GetArrayFromImage(image)[None]
    half = sitk.GetImageFromArray(body_mask(Volume(array, image.GetSpacing()))[...].astype(np.float32))
    half.CopyInformation(image)
    full = sitk.Resample(half, volume.to_sitk(), sitk.Transform(3, sitk.sitkIdentity), sitk.sitkLinear, 0.0)
    body = sitk.GetArrayFromImage(full) >= 0.5
    return body if body.any() else np.ones(body.shape, bool)


def depth_of(body: np.ndarray, spacing: tuple[float, float, float], planes: tuple[int, ...]) -> np.ndarray:
    """Distance to the body's surface.

    The image's sides count as surface, but for the faces of a single slice, and for those that cut through the body:
    behind them is more of it. Of thick slices the first and the last stay a surface, since a neck is no brain.

    Args:
        body: bool (z, y, x).
        spacing: (x, y, z) in mm.
        planes: axes that slices are taken across.

    Returns:
        (z, y, x) float32 in mm, 0 outside of the body.
    """
    import SimpleITK as sitk

    around = [(1, 1) if size > 1 else (0, 0) for size in body.shape]
    cut = [_is_cut(body, axis, planes) for axis in range(3)]
    beyond = [tuple(0 if is_cut else 1 for is_cut in pair) for pair in cut]
    padded = [(min(a, c), min(b, d)) for (a, b), (c, d) in zip(around, beyond, strict=True)]
    if body.all() and not any(map(any, padded)):
        padded = around  # nothing but body: its sides are all there is
    image: SimpleITK.Image = sitk.GetImageFromArray(np.pad(body, padded).astype(np.uint8))
    image.SetSpacing([float(step) for step in spacing])
    distance = sitk.SignedMaurerDistanceMap(image, True, False, True)
    inner = tuple(slice(before, before + size) for (before, _), size in zip(padded, body.shape, strict=True))
    return np.maximum(sitk.GetArrayFromImage(distance)[inner], 0)


def _is_cut(body: np.ndarray, axis: int, planes: tuple[int, ...]) -> tuple[bool, bool]:
    """Whether the first and the last side of an axis cut through the body."""
    if body.shape[axis] == 1 or planes == (axis,):
        return False, False
    sides = (body.take(place, axis) for place in (0, -1))
    first, last = (bool(side.mean() > MOST_CUT) for side in sides)
    return first, last


def _windows(core: np.ndarray, most: int, side: int) -> list[tuple[int, int]]:
    """Where patches of one slice begin: about the middle of what is deep, and of few slices also beside it."""
    rows, columns = np.nonzero(core)
    middle, beside = (float(rows.mean()), float(columns.mean())), (float(rows.std()), float(columns.std()))
    windows = [_window(core.shape, middle, side)]
    for down, right in ((-1, -1), (1, 1), (-1, 1), (1, -1)):
        centre = (middle[0] + down * beside[0], middle[1] + right * beside[1])
        window = _window(core.shape, centre, side)
        if len(windows) < most and window not in windows:
            windows.append(window)
    return windows


def _window(shape: tuple[int, ...], centre: tuple[float, float], side: int) -> tuple[int, int]:
    """First row and column of a patch about a centre, moved inwards where the image is large enough."""
    first = []
    for size, place in zip(shape, centre, strict=True):
        start = round(place) - side // 2
        first.append(min(max(start, 0), size - side) if size >= side else (size - side) // 2)
    return first[0], first[1]


def _cut(image: np.ndarray, window: tuple[int, int], side: int, beyond: float | bool) -> np.ndarray:
    """The patch (side, side) of an image that begins at a row and column, which may lie outside."""
    patch = np.full((side, side), beyond, image.dtype)
    (y, x), (height, width) = window, image.shape
    rows = slice(max(y, 0), min(y + side, height))
    columns = slice(max(x, 0), min(x + side, width))
    patch[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x] = image[rows, columns]
    return patch
