"""Pictures of two aligned volumes for checking a registration by eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.volumes.geometry import to_canonical
from surgical_style_engine.volumes.volume import Volume

TILES = 6  # checkerboard fields along the longer side


def save_overlay(fixed: Volume, moved: Volume, path: str | Path, title: str = "") -> None:
    """Write a PNG with three planes: the fixed volume with the moved one's edges, and a checkerboard of both.

    Args:
        fixed: A scalar volume in any orientation.
        moved: Another on its grid.
        path: The file, whole or absent; missing folders are made.
        title: Above it.

    Raises:
        StyleTransferError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    path = Path(path)
    figure = Figure(figsize=(12, 8), facecolor="black", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3)
    fixed, moved = to_canonical(fixed)[0], to_canonical(moved)[0]
    first, second = _grey(fixed.array[0]), _grey(moved.array[0])
    for column, (name, axis) in enumerate((("axial", 0), ("coronal", 1), ("sagittal", 2))):
        below, above = _middle_slice(first, axis), _middle_slice(second, axis)
        aspect = _aspect(fixed.spacing, axis)
        # Rows of the array run to posterior (axial) or superior (the others); the latter are drawn from below.
        show = {"aspect": aspect, "origin": "upper" if axis == 0 else "lower", "interpolation": "bilinear"}
        axes[0, column].imshow(below, cmap="gray", vmin=0, vmax=1, **show)
        axes[0, column].contour(_edges(above), levels=[0.5], colors=["#ffb000"], linewidths=0.6)
        axes[0, column].set_title(f"{name}: edges of the moved volume", color="white", fontsize=10)
        axes[1, column].imshow(_checkerboard(below, above, aspect), cmap="gray", vmin=0, vmax=1, **show)
        axes[1, column].set_title(f"{name}: checkerboard", color="white", fontsize=10)
    for axis in axes.flat:
        axis.set_axis_off()
    if title:
        figure.suptitle(title, color="white", fontsize=11)
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=110, facecolor="black")
    except OSError as error:
        raise StyleTransferError(f"Cannot write the picture {path}: {error.strerror or error}.") from error


def _grey(array: np.ndarray) -> np.ndarray:
    """Scale to [0, 1] between robust percentiles of what is not the most common (background) value."""
    array = np.nan_to_num(array.astype(np.float32))
    low, high = np.percentile(array, (1, 99.7))
    return np.clip((array - low) / max(high - low, 1e-6), 0, 1)


def _middle_slice(array: np.ndarray, axis: int) -> np.ndarray:
    """The slice through the centre of mass of what is bright, so that small heads are not missed."""
    profile = array.sum(axis=tuple(a for a in range(3) if a != axis))
    centre = int(round(float((profile * np.arange(profile.size)).sum() / max(profile.sum(), 1e-6))))
    return array.take(centre, axis=axis)


def _aspect(spacing_xyz: Sequence[float], axis: int) -> float:
    rows_columns = {0: (1, 0), 1: (2, 0), 2: (2, 1)}[axis]
    return spacing_xyz[rows_columns[0]] / spacing_xyz[rows_columns[1]]


def _edges(image: np.ndarray) -> np.ndarray:
    """Smoothed gradient magnitude, 0..1 with 0.5 at its 88th percentile within the object."""
    padded = np.pad(image, 1, mode="edge")
    smooth = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] + 4 * image) / 8
    magnitude = np.hypot(*np.gradient(smooth))
    inside = magnitude[image > 0.05]
    level = np.percentile(inside, 88) if inside.size else 1.0
    return np.clip(magnitude / max(2 * level, 1e-6), 0, 1)


def _checkerboard(below: np.ndarray, above: np.ndarray, aspect: float) -> np.ndarray:
    rows, columns = below.shape
    field = max(rows * aspect, columns) / TILES  # in units of a column, so that fields are square in mm
    y, x = np.mgrid[:rows, :columns]
    odd = ((y * aspect // field) + (x // field)) % 2 == 1
    return np.where(odd, above, below)
