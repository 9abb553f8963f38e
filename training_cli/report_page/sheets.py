"""Slices drawn, and packed into the JPEG sheets that a page holds in itself."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.volume import Volume

from .files import find_file

LARGEST_SIDE, LARGEST_PICTURE = 320, 1024  # pixels of a slice's longer side; of a volume of one slice
QUALITY = 85  # of the JPEG sheets
PREVIEWED = 3  # slices drawn into the still picture for paper and for browsers without scripts
NOT_JUDGED_COLOUR = (24, 42, 66)
_ENDS = {"axial": ("I", "S"), "coronal": ("A", "P"), "sagittal": ("R", "L")}


@dataclass(frozen=True)
class Grid:
    """How the slices of a volume lie and how large they are drawn.

    Attributes:
        plane: axial, coronal or sagittal; "picture" for a volume of one slice that is a picture.
        tile: (width, height) in square pixels.
        positions: Where each shown slice lies, such as "S 34.5 mm"; empty for a picture.
    """

    plane: str
    tile: tuple[int, int]
    positions: list[str]


def grid_of(volume: Volume, axis: int, total: int, size: tuple[int, int], shown: Sequence[int]) -> Grid:
    """How to draw slices across an array axis.

    Args:
        volume: On whose grid they lie.
        axis: 0, 1 or 2 for z, y, x.
        total: How many slices there are.
        size: (height, width) of one.
        shown: Numbers of those that are drawn.
    """
    canonical, reorientation = geometry.to_canonical(volume)
    positions: list[str] = []
    if volume.is_2d:
        plane = "picture"
        rows_mm, columns_mm = volume.spacing[1], volume.spacing[0]
    else:
        plane = geometry.PLANES[reorientation.axes.index(axis)]
        _, rows_mm, columns_mm = geometry.plane_spacing(canonical.spacing, plane)
        positions = [_position(volume, axis, index, plane) for index in shown]
    smallest = min(rows_mm, columns_mm)
    across, down = size[1] * columns_mm / smallest, size[0] * rows_mm / smallest
    scale = min(1.0, (LARGEST_PICTURE if total == 1 else LARGEST_SIDE) / max(across, down))
    return Grid(plane, (max(1, round(across * scale)), max(1, round(down * scale))), positions)


def choose_slices(body: np.ndarray, named: Sequence[int], most: int) -> list[int]:
    """Numbers of the slices to show, ascending.

    All if they are few; else those named and an even spread of those with something in them.

    Args:
        body: Bool, a slice each: whether it has anything in it.
        named: Slices that must be shown.
        most: How many at most.
    """
    total = len(body)
    if total <= most:
        return list(range(total))
    filled = np.flatnonzero(body)
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, total - 1)
    kept = list(dict.fromkeys(index for index in named if 0 <= index < total))[: most // 2]
    even = np.linspace(first, last, most - len(kept)).round().astype(int).tolist()
    return sorted({*kept, *even})


def as_slices(volume: Volume, array: np.ndarray, axis: int) -> np.ndarray:
    """(c, z, y, x) on a volume's grid -> (c, slice, height, width), as radiologists look at them.

    Slices stay in the file's order; patient's left is on the right, anterior or superior up.
    """
    if volume.is_2d:
        return array
    canonical, reorientation = geometry.to_canonical(volume.with_array(array))
    place = reorientation.axes.index(axis)
    plane = geometry.PLANES[place]
    slices = geometry.plane_first(canonical.array, plane)
    if reorientation.flips[place]:
        slices = slices[:, ::-1]
    return slices if plane == "axial" else slices[:, :, ::-1]


def _position(volume: Volume, axis: int, index: int, plane: str) -> str:
    """Where a slice's centre lies along the patient's axis, such as "S 34.5 mm"."""
    voxel = (np.asarray(volume.size) - 1) / 2
    voxel[2 - axis] = index
    centre = np.asarray(volume.origin) + np.asarray(volume.direction) @ (voxel * np.asarray(volume.spacing))
    value = float(centre[{"sagittal": 0, "coronal": 1, "axial": 2}[plane]])
    return f"{_ENDS[plane][value > 0]} {abs(value):.1f} mm"


def drawn(image: np.ndarray, is_map: bool, tile: tuple[int, int]) -> np.ndarray:
    """One slice as pixels.

    Args:
        image: (c, h, w) in [0, 1]; of a map the first channel alone, negative where nothing was judged.
        is_map: Whether it is drawn in colours.
        tile: (width, height) of the result.

    Returns:
        uint8 (height, width, 3 or 1).
    """
    if is_map:
        from matplotlib import colormaps

        coloured = colormaps["inferno"](np.clip(image[0], 0, 1), bytes=True)[..., :3].copy()
        coloured[image[0] < 0] = NOT_JUDGED_COLOUR
        picture = Image.fromarray(coloured)
    else:
        levels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
        picture = Image.fromarray(levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0)))
    if picture.size != tile:
        picture = picture.resize(tile, Image.Resampling.BILINEAR)
    array = np.asarray(picture)
    return array if array.ndim == 3 else array[..., None]


def sheet(tiles: list[np.ndarray], columns: int) -> str:
    """Tiles in rows of ``columns``, as one JPEG."""
    height, width, channels = tiles[0].shape
    whole = np.zeros((math.ceil(len(tiles) / columns) * height, columns * width, channels), np.uint8)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        whole[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    return data_uri(whole)


def still(shown: list[int], tiles: list[list[np.ndarray]], named: Sequence[int]) -> tuple[str, list[int]]:
    """A row for each of a few slices, a column for each pane.

    Args:
        shown: Numbers of the slices in the sheets.
        tiles: For each pane a tile a slice.
        named: Slices of which the first that is shown is taken.

    Returns:
        (JPEG as data URI, numbers of the slices in it).
    """
    first = [index for index in named if index in shown][:1]
    spread = np.linspace(0.3, 0.7, PREVIEWED - len(first)) * (len(shown) - 1)
    chosen = sorted({*first, *(shown[round(place)] for place in spread)})
    rows = []
    for index in chosen:
        place = shown.index(index)
        rows.append(np.concatenate([np.broadcast_to(t[place], (*t[place].shape[:2], 3)) for t in tiles], axis=1))
    return data_uri(np.concatenate(rows)), chosen


def picture_file(path: str, folder: Path) -> str:
    """A picture that a report names, as data URI; empty where it is gone or no picture."""
    place = find_file(path, folder)
    if place is None:
        return ""
    try:
        with Image.open(place) as picture:
            image = picture.convert("RGB")
    except (OSError, Image.DecompressionBombError):
        return ""
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    return data_uri(np.asarray(image))


def data_uri(image: np.ndarray) -> str:
    """uint8 (h, w, 1 or 3) -> a JPEG that an HTML page holds in itself."""
    stream = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else np.ascontiguousarray(image))
    picture.save(stream, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
