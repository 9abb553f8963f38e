"""One picture to judge a translation by: input, translation, way back, cycle error, and a reference if there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from typing_extensions import Unpack

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.common.thresholds import BODY_FROM, NOISIEST_AIR
from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.volumes.geometry import plane_first, plane_spacing, to_canonical
from surgical_style_engine.volumes.volume import Volume

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

ERROR_TOP = 0.5  # cycle error, in normalised units, that is drawn brightest
ROWS = 3
TILE, BELOW = 2.9, 1.9  # inches: width of a column; height of the lines and bars under the pictures
DPI = 110
_INK, _FAINT = "#f2f2f2", "#9a9a9a"


class Captions(TypedDict, total=False):
    """What is written around the pictures.

    title: above them. figures: (name, value) lines under them. contrast: what ``metrics.tissues.tissue_contrast``
    gives, drawn as bars. footer: a small line at the bottom.
    """

    title: str
    figures: Sequence[tuple[str, str]]
    contrast: Mapping[str, Any] | None
    footer: str


@dataclass(frozen=True)
class _Cut:
    """What is drawn of each image: slices by number, the part of each, and the height of a pixel over its width."""

    rows: list[int]
    box: tuple[slice, slice]
    aspect: float


def save_comparison(
    path: str | Path,
    volume: Volume,
    columns: Mapping[str, np.ndarray],
    *,
    error: np.ndarray | None = None,
    plane: str = "axial",
    **captions: Unpack[Captions],
) -> None:
    """Write a PNG with a row a slice and a column an image.

    Voxels keep their proportions in mm; patient's left is on the right, as radiologists look at it.

    Args:
        path: The file; whole or absent.
        volume: On whose grid the images are.
        columns: Heading -> normalised (c, z, y, x).
        error: Cycle error (c, z, y, x), NaN where it was not judged; only judged slices are drawn.
        plane: axial, coronal or sagittal.
        **captions: See `Captions`.

    Raises:
        StyleTransferError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    path = Path(path)
    images = {name: _slices(volume, array, plane) for name, array in columns.items()}
    error_map = None if error is None else _slices(volume, error, plane)
    first = next(iter(images.values()))
    cut = _Cut(_rows(first, error_map), _box(first), _aspect(volume, plane))
    count = len(images) + (error_map is not None)
    below = BELOW if captions.get("figures") or captions.get("contrast") else 0.0
    height, width = (cut.box[0].stop - cut.box[0].start) * cut.aspect, cut.box[1].stop - cut.box[1].start
    size = (TILE * count, TILE * height / width * len(cut.rows) + below + 0.75)
    figure = Figure(figsize=size, facecolor="black")
    FigureCanvasAgg(figure)
    top, bottom = 1 - 0.6 / size[1], (below + 0.25) / size[1]
    grid = figure.add_gridspec(
        len(cut.rows), count, left=0.005, right=0.995, top=top, bottom=bottom, wspace=0.015, hspace=0.015
    )
    for column, (name, array) in enumerate(images.items()):
        _draw_image(figure, grid, column, name, array, cut)
    if error_map is not None:
        _draw_error(figure, grid, count - 1, error_map, cut)
    _write_captions(figure, captions, size[1], below)
    try:
        with replacing(path, make_folders=False) as temporary:
            figure.savefig(temporary, dpi=DPI, facecolor="black")
    except OSError as failure:
        raise StyleTransferError(f"Cannot write the picture {path}: {failure.strerror or failure}.") from None


def _draw_image(figure: Figure, grid: GridSpec, column: int, name: str, array: np.ndarray, cut: _Cut) -> None:
    """A column of one image's slices."""
    shown = array[:, cut.rows][:, :, cut.box[0], cut.box[1]]
    # Bright fat would leave the brain dark: the top of the scale is where almost all of it is.
    high = float(np.percentile(shown[shown > NOISIEST_AIR], 99.0)) if (shown > NOISIEST_AIR).any() else 1.0
    for row in range(len(cut.rows)):
        axis = figure.add_subplot(grid[row, column])
        picture = shown[:, row].transpose(1, 2, 0)
        picture = np.clip((picture + 1) / (max(high, -0.5) + 1), 0, 1)
        axis.imshow(
            picture if picture.shape[2] == 3 else picture[..., 0],
            cmap="gray",
            vmin=0,
            vmax=1,
            aspect=cut.aspect,
            interpolation="bilinear",
        )
        axis.set_axis_off()
        if row == 0:
            axis.set_title(name, color=_INK, fontsize=11, pad=5)


def _draw_error(figure: Figure, grid: GridSpec, column: int, error: np.ndarray, cut: _Cut) -> None:
    """A column of the cycle error in colours."""
    for row, number in enumerate(cut.rows):
        axis = figure.add_subplot(grid[row, column])
        axis.imshow(
            error[:, number].mean(axis=0)[cut.box],
            cmap="inferno",
            vmin=0,
            vmax=ERROR_TOP,
            aspect=cut.aspect,
            interpolation="nearest",
        )
        axis.set_axis_off()
        if row == 0:
            axis.set_title(f"cycle error (0 to {ERROR_TOP:g} of 2)", color=_INK, fontsize=11, pad=5)


def _write_captions(figure: Figure, captions: Captions, height: float, below: float) -> None:
    """Title, lines, bars and footer. height: of the figure, below: of the part under the pictures, in inches."""
    contrast = captions.get("contrast")
    if captions.get("title"):
        figure.text(0.008, 1 - 0.2 / height, captions["title"], color=_INK, fontsize=12.5, weight="bold", va="center")
    if contrast:
        _draw_contrast(figure, contrast, (0.56, 0.42 / height + 0.02, 0.42, (below - 0.75) / height))
    for number, (name, value) in enumerate(captions.get("figures", ())):
        y = (below + 0.02 - 0.215 * number) / height
        figure.text(0.012, y, name, color=_FAINT, fontsize=10, va="center")
        figure.text(0.265 if contrast else 0.3, y, value, color=_INK, fontsize=10, va="center")
    if captions.get("footer"):
        figure.text(0.008, 0.1 / height, captions["footer"], color=_FAINT, fontsize=8, va="center")


def _draw_contrast(figure: Figure, contrast: Mapping[str, Any], place: tuple[float, float, float, float]) -> None:
    """Bars of the tissues' means, before and after, each set scaled to its own brightest tissue."""
    names = list(contrast["tissues"])
    axis = figure.add_axes(place, facecolor="black")
    for offset, when, colour in ((-0.2, "before", "#7f8c9b"), (0.2, "after", "#ffb000")):
        values = np.array([contrast["tissues"][name][when] for name in names])
        scaled = values / max(values.max(), 1e-9)
        places = np.arange(len(names)) + offset
        axis.bar(places, scaled, width=0.38, color=colour, label={"before": "input", "after": "translation"}[when])
        for x, height, value in zip(places, scaled, values, strict=True):
            axis.text(x, height + 0.03, f"{value:.3g}", color=_INK, fontsize=8.5, ha="center")
    axis.set_xticks(range(len(names)), names, color=_INK, fontsize=10)
    axis.set_ylim(0, 1.25)
    axis.set_yticks([])
    for side in axis.spines.values():
        side.set_visible(False)
    axis.tick_params(length=0)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, labelcolor=_INK, fontsize=9)
    axis.set_position((place[0], place[1], place[2] * 0.72, place[3]))
    expected = contrast["expected"]
    order = " < ".join(contrast["order_after"])
    verdict = "" if expected is None else " (as expected)" if contrast["as_expected"] else " (NOT as expected)"
    axis.set_title(f"Mean of each tissue; after: {order}{verdict}", color=_INK, fontsize=10, loc="left")


def _slices(volume: Volume, array: np.ndarray, plane: str) -> np.ndarray:
    """(c, z, y, x) on the volume's grid -> (c, slice, height, width), drawn with superior or anterior up."""
    if volume.is_2d:
        return array
    canonical, _ = to_canonical(volume.with_array(array))
    planes = plane_first(canonical.array, plane)
    return planes if plane == "axial" else planes[:, :, ::-1]


def _rows(array: np.ndarray, error: np.ndarray | None) -> list[int]:
    """Numbers of the slices to draw: evenly spread over the middle of the body, among those judged; highest first."""
    usable = (array > BODY_FROM).mean(axis=(0, 2, 3)) > 0.05
    if error is not None:
        usable &= np.isfinite(error).all(axis=(0, 2, 3))
    numbers = np.flatnonzero(usable)
    if not len(numbers):
        numbers = np.arange(array.shape[1])
    chosen = {int(numbers[round(share * (len(numbers) - 1))]) for share in np.linspace(0.3, 0.75, ROWS)}
    return sorted(chosen, reverse=True)


def _box(array: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns that hold the body, with a margin."""
    occupied = np.any(array > BODY_FROM, axis=(0, 1))
    sides = []
    for axis in (1, 0):
        filled, length = np.flatnonzero(np.any(occupied, axis=axis)), occupied.shape[1 - axis]
        low, high = (int(filled[0]), int(filled[-1]) + 1) if len(filled) else (0, length)
        sides.append(slice(max(0, low - 4), min(length, high + 4)))
    return sides[0], sides[1]


def _aspect(volume: Volume, plane: str) -> float:
    if volume.is_2d:
        return volume.spacing[1] / volume.spacing[0]
    canonical, _ = to_canonical(volume)
    _, rows, columns = plane_spacing(canonical.spacing, plane)
    return rows / columns
