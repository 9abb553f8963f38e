"""The slices a page shows: read from the volumes that a report names, windowed, and packed into JPEG sheets."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.volume_io import PICTURE_ENDINGS, read_volume
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.geometry import coarsest_axis
from surgical_style_engine.volumes.normalization import RobustPercentile
from surgical_style_engine.volumes.volume import Volume, check_volume

if TYPE_CHECKING:
    import SimpleITK

    from surgical_style_engine.models.folder import Domain, ModelCard

MOST_SLICES = 64
LARGEST_SIDE, LARGEST_PICTURE = 320, 1024  # pixels of a slice's longer side; of a volume of one slice
QUALITY = 85  # of the JPEG sheets
ERROR_TOP = 0.5  # of 2, drawn brightest: that of the comparison picture
DISAGREEMENT_TOP = 0.25  # of 2, drawn brightest in a map of disagreement
BRIGHTEST = 98.0  # percentile of the body's intensities that is drawn white; fat would leave a brain dark
BODY = -0.95  # normalised intensity below which a voxel is taken for background
PREVIEWED = 3  # slices drawn into the still picture for paper and for browsers without scripts
MAP_TITLES = {
    "cycle_error": "Cycle error",
    "disagreement": "Disagreement",
    "reference_error": "Difference to the real image",
    "change": "Change from the input",
}
_PLANES = ("axial", "coronal", "sagittal")
_ENDS = {"axial": ("I", "S"), "coronal": ("A", "P"), "sagittal": ("R", "L")}


@dataclass(frozen=True)
class Pane:
    """One image of the viewer. kind: source, other, translation, reference or error. sheet: its slices in rows, a
    JPEG as data URI. note: one sentence below it. top: of 2, what is drawn brightest in a map."""

    title: str
    kind: str
    sheet: str
    note: str = ""
    top: float = ERROR_TOP


@dataclass
class Pictures:
    """What the viewer of one volume shows.

    slices: numbers (from 0) in the volume's file of the slices shown. total: slices the volume has. positions: text
    such as "S 34.5 mm", a slice each. tile: (width, height) in square pixels of each slice in a sheet of
    ``columns``. still: slices beside another, a JPEG as data URI; still_slices: their numbers. notes:
    sentences on what could not be shown.
    """

    plane: str = "axial"
    slices: list[int] = field(default_factory=list)
    total: int = 0
    positions: list[str] = field(default_factory=list)
    tile: tuple[int, int] = (0, 0)
    columns: int = 1
    panes: list[Pane] = field(default_factory=list)
    still: str = ""
    still_slices: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Layer:
    """An image on its way to the page: (c, slice, h, w) in [0, 1]; for errors (1, slice, h, w), negative = nothing."""

    title: str
    kind: str
    array: np.ndarray
    note: str = ""
    top: float = ERROR_TOP


def pictures_of(
    entry: Mapping[str, Any],
    card: ModelCard | None,
    direction: str,
    folder: Path,
    *,
    named: Sequence[int] = (),
    most: int = MOST_SLICES,
    call: Callable[[str], str] = str,
) -> Pictures:
    """Pictures of one translated volume.

    entry: ``input``, ``output`` and what else names volumes (others, reference, maps), as in a report. card: of the
    model, for the same normalisation as the quality figures; robust percentiles without it. folder: of the report,
    where files of relative paths, or that were moved along with it, are looked for. named: slices that must be shown.
    call: what a path is called on the page. Files that are missing, damaged or on another grid become sentences in
    ``notes``.
    """
    made = Pictures()
    maps = entry.get("maps") if isinstance(entry.get("maps"), Mapping) else {}
    fused = bool(entry.get("others"))
    result_path = maps.get("translation") or entry.get("output")
    source = _read(entry.get("input"), folder, made.notes)
    result = _read(result_path, folder, made.notes)
    if result is None:
        if not result_path:
            made.notes.append("The run kept no translation (see --maps), so there are no pictures.")
        return made
    if source is not None and not source.same_grid(result):
        made.notes.append(f"{entry.get('input')} is not on the grid of the result and is not shown.")
        source = None
    origin = goal = None
    if card is not None and not fused:
        origin, goal = card.domain_from(direction), card.domain_to(direction)
    axis = _axis(entry, result)
    layers: list[_Layer] = []
    normal_source = None if source is None else _normalised(source, origin)
    if normal_source is not None:
        name = f"Reference: {call(entry['input'])}" if fused else f"Input ({origin.name})" if origin else "Input"
        layers.append(_Layer(name, "source", _grey(normal_source)))
    for place, path in enumerate(entry.get("others") or []):
        other = _read(path, folder, made.notes)
        if other is not None:
            matrix, note = _matrix(entry, place), ""
            if matrix is not None:
                other = geometry.resample_like(other, result, transform=matrix)
            elif not other.same_grid(result):
                other, note = geometry.resample_like(other, result), "Laid over by scanner coordinates."
            layers.append(_Layer(f"Other: {call(path)}", "other", _grey(_normalised(other, None)), note))
    # A blend with the input, or a match, has a range of its own; the model's belongs to the whole translation. Pictures
    # are scaled when they are written.
    strength = entry.get("strength")
    own_range = entry.get("mask_blends") or entry.get("match") or str(result_path).endswith(PICTURE_ENDINGS)
    whole = strength in (None, 1) and not own_range
    if goal is not None and whole:
        normal_result = goal.inverse.forward(result.array)
    else:
        normal_result = _normalised(result, goal)
    title = "Fusion" if fused else f"Translation ({goal.name})" if goal else "Translation"
    layers.append(_Layer(title, "translation", _grey(normal_result)))
    normal_reference = _reference(entry, maps, folder, result, goal, made.notes)
    if normal_reference is not None:
        layers.append(_Layer(f"Real {goal.name}" if goal else "Real image", "reference", _grey(normal_reference)))
    layers += _errors(maps, folder, result, normal_source, normal_result, normal_reference, fused, made.notes)
    _pack(made, layers, result, axis, named, most)
    return made


def _read(path: Any, folder: Path, notes: list[str]) -> Volume | None:
    """The volume of a path, or None and a sentence."""
    if not isinstance(path, str) or not path:
        return None
    from training_cli.pictures import demo_volume

    try:
        if path == demo_volume.NAME:
            return demo_volume.icbm152()[0]
        found = find_file(path, folder)
        if found is None:
            notes.append(f"{path} is not there any more and is not shown.")
            return None
        volume = read_volume(found)
        check_volume(volume, path)
        return volume
    except InputError as error:
        notes.append(f"Not shown: {str(error).replace(str(find_file(path, folder) or path), path)}")
        return None


def find_file(path: str, folder: Path) -> Path | None:
    """Where a path of a report leads: as it stands, from the report's folder, or to that name beside the report."""
    for candidate in (Path(path), folder / path, folder / Path(path).name):
        try:
            if candidate.exists():
                return candidate
        except OSError:  # a name longer than names can be
            return None
    return None


def _reference(
    entry: Mapping, maps: Mapping, folder: Path, result: Volume, goal: Domain | None, notes: list[str]
) -> np.ndarray | None:
    path = maps.get("reference") or entry.get("reference")
    volume = _read(path, folder, notes)
    if volume is None:
        return None
    if not volume.same_grid(result) or volume.channels != result.channels:
        notes.append(f"{path} is not on the grid of the translation and is not shown (--maps keeps it registered).")
        return None
    return _normalised(volume, goal)


def _errors(
    maps: Mapping,
    folder: Path,
    result: Volume,
    source: np.ndarray | None,
    made: np.ndarray,
    reference: np.ndarray | None,
    fused: bool,
    notes: list[str],
) -> list[_Layer]:
    """Every map there is; the change from the input only where there is no other, for it is no error."""
    found = []
    if maps.get("cycle_error"):
        volume = _read(maps["cycle_error"], folder, notes)
        if volume is not None and volume.same_grid(result):
            found.append(("cycle_error", volume.array, "There and back again. Blue: not judged."))
    if maps.get("disagreement"):
        volume = _read(maps["disagreement"], folder, notes)
        if volume is not None and volume.same_grid(result):
            found.append(("disagreement", volume.array, "Standard deviation over planes, flips and shifts."))
    if reference is not None and reference.shape == made.shape:
        found.append(("reference_error", np.abs(made - reference), "Normalised intensities, each image by its own."))
    if not found and source is not None and source.shape == made.shape and not fused:
        found.append(("change", np.abs(made - source), "How far the translation moved each voxel: no error."))
    return [
        _Layer(MAP_TITLES[key], "error", array.mean(axis=0, keepdims=True, dtype=np.float32) / top, note, top)
        for key, array, note in found
        for top in [DISAGREEMENT_TOP if key == "disagreement" else ERROR_TOP]
    ]


def _matrix(entry: Mapping, place: int) -> SimpleITK.Transform | None:
    """The transform that a fusion's report has for one of the others, from points of the reference to its own."""
    registrations = entry.get("registrations") or []
    rows = registrations[place].get("matrix") if place < len(registrations) else None
    if rows is None:
        return None
    import SimpleITK as sitk

    matrix = np.asarray(rows, float)
    if matrix.shape != (3, 4):
        raise ValueError("the matrix of a registration has 3 rows of 4 numbers")
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:, :3].ravel().tolist())
    transform.SetTranslation(matrix[:, 3].tolist())
    return transform


def _axis(entry: Mapping, volume: Volume) -> int:
    """The array axis (0, 1, 2 for z, y, x) whose slices the report's figures count, else that of the thickest."""
    quality = entry.get("quality") if isinstance(entry.get("quality"), Mapping) else {}
    slices = quality.get("slices") if isinstance(quality.get("slices"), Mapping) else {}
    name = slices.get("axis")
    return "zyx".index(name) if name in ("z", "y", "x") else coarsest_axis(volume)


def _normalised(volume: Volume, domain: Domain | None) -> np.ndarray:
    """(c, z, y, x) in [-1, 1], as the domain does it; by robust percentiles where there is none."""
    if volume.channels == 3:
        top = 65535.0 if volume.array.dtype == np.uint16 else 255.0
        return np.clip(volume.array.astype(np.float32) / top * 2 - 1, -1, 1)
    return (domain.normalization if domain else RobustPercentile()).fit(volume.array).forward(volume.array)


def _grey(normalised: np.ndarray) -> np.ndarray:
    """[-1, 1] -> [0, 1], white from the BRIGHTEST percentile of the body on."""
    body = normalised[normalised > BODY]
    top = max(float(np.percentile(body[:: max(1, body.size // 1_000_000)], BRIGHTEST)), -0.5) if body.size else 1.0
    return np.clip((normalised + 1) / (top + 1), 0, 1)


def _pack(made: Pictures, layers: list[_Layer], grid: Volume, axis: int, named: Sequence[int], most: int) -> None:
    """Choose the slices, and draw those of every layer into its sheet."""
    stacks = [_as_slices(grid, layer.array, axis) for layer in layers]
    canonical, reorientation = geometry.to_canonical(grid)
    made.plane = "picture" if grid.is_2d else _PLANES[reorientation.axes.index(axis)]
    made.total = stacks[0].shape[1]
    body = next((stack for stack, layer in zip(stacks, layers, strict=True) if layer.kind != "error"), stacks[0])
    made.slices = choose_slices((body > 0.05).mean(axis=(0, 2, 3)) > 0.02, named, most)
    height, width = stacks[0].shape[2:]
    if grid.is_2d:
        rows_mm, columns_mm = grid.spacing[1], grid.spacing[0]
    else:
        _, rows_mm, columns_mm = geometry.plane_spacing(canonical.spacing, made.plane)
        made.positions = [_position(grid, axis, index, made.plane) for index in made.slices]
    across, down = (count * mm / min(rows_mm, columns_mm) for count, mm in ((width, columns_mm), (height, rows_mm)))
    scale = min(1.0, (LARGEST_PICTURE if made.total == 1 else LARGEST_SIDE) / max(across, down))
    made.tile = max(1, round(across * scale)), max(1, round(down * scale))
    made.columns = math.ceil(math.sqrt(len(made.slices)))
    tiles = [
        [_drawn(stack[:, index], layer.kind == "error", made.tile) for index in made.slices]
        for stack, layer in zip(stacks, layers, strict=True)
    ]
    for layer, drawn in zip(layers, tiles, strict=True):
        made.panes.append(Pane(layer.title, layer.kind, _sheet(drawn, made.columns), layer.note, layer.top))
    made.still, made.still_slices = _still(made, tiles, named)


def choose_slices(body: np.ndarray, named: Sequence[int], most: int) -> list[int]:
    """Numbers of the slices to show, ascending: all if they are few; else those named and an even spread of those with
    something in them. body: bool, a slice each."""
    total = len(body)
    if total <= most:
        return list(range(total))
    filled = np.flatnonzero(body)
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, total - 1)
    kept = list(dict.fromkeys(index for index in named if 0 <= index < total))[: most // 2]
    even = np.linspace(first, last, most - len(kept)).round().astype(int).tolist()
    return sorted({*kept, *even})


def _as_slices(grid: Volume, array: np.ndarray, axis: int) -> np.ndarray:
    """(c, z, y, x) on the grid -> (c, slice, height, width), slices in the file's order, seen as radiologists do:
    patient's left on the right, anterior or superior up."""
    if grid.is_2d:
        return array
    canonical, reorientation = geometry.to_canonical(grid.with_array(array))
    place = reorientation.axes.index(axis)
    slices = geometry.plane_first(canonical.array, _PLANES[place])
    if reorientation.flips[place]:
        slices = slices[:, ::-1]
    return slices if _PLANES[place] == "axial" else slices[:, :, ::-1]


def _position(grid: Volume, axis: int, index: int, plane: str) -> str:
    """Where a slice's centre lies along the patient's axis, such as "S 34.5 mm"."""
    voxel = (np.asarray(grid.size) - 1) / 2
    voxel[2 - axis] = index
    centre = np.asarray(grid.origin) + np.asarray(grid.direction) @ (voxel * np.asarray(grid.spacing))
    value = float(centre[{"sagittal": 0, "coronal": 1, "axial": 2}[plane]])
    return f"{_ENDS[plane][value > 0]} {abs(value):.1f} mm"


def _drawn(image: np.ndarray, is_error: bool, tile: tuple[int, int]) -> np.ndarray:
    """(c, h, w) -> uint8 (height, width, 3 or 1)."""
    from PIL import Image

    if is_error:
        from matplotlib import colormaps

        coloured = colormaps["inferno"](np.clip(image[0], 0, 1), bytes=True)[..., :3].copy()
        coloured[image[0] < 0] = (24, 42, 66)
        picture = Image.fromarray(coloured)
    else:
        levels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
        picture = Image.fromarray(levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0)))
    if picture.size != tile:
        picture = picture.resize(tile, Image.Resampling.BILINEAR)
    array = np.asarray(picture)
    return array if array.ndim == 3 else array[..., None]


def _sheet(tiles: list[np.ndarray], columns: int) -> str:
    """Tiles in rows of ``columns``, as one JPEG."""
    height, width, channels = tiles[0].shape
    whole = np.zeros((math.ceil(len(tiles) / columns) * height, columns * width, channels), np.uint8)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        whole[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    return data_uri(whole)


def _still(made: Pictures, tiles: list[list[np.ndarray]], named: Sequence[int]) -> tuple[str, list[int]]:
    """A row for each of a few slices, a column for each pane."""
    wanted = [index for index in named if index in made.slices][:1]
    spread = np.linspace(0.3, 0.7, PREVIEWED - len(wanted)) * (len(made.slices) - 1)
    chosen = sorted({*wanted, *(made.slices[round(place)] for place in spread)})
    rows = []
    for index in chosen:
        place = made.slices.index(index)
        rows.append(np.concatenate([np.broadcast_to(t[place], (*t[place].shape[:2], 3)) for t in tiles], axis=1))
    return data_uri(np.concatenate(rows)), chosen


def picture_file(path: str, folder: Path) -> str:
    """A picture that a report names, as data URI; empty where it is gone or no picture."""
    from PIL import Image

    found = find_file(path, folder)
    try:
        with Image.open(found) as picture:
            image = picture.convert("RGB")
    except (OSError, AttributeError, Image.DecompressionBombError):
        return ""
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    return data_uri(np.asarray(image))


def data_uri(image: np.ndarray) -> str:
    """uint8 (h, w, 1 or 3) -> a JPEG that an HTML page holds in itself."""
    from PIL import Image

    stream = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else np.ascontiguousarray(image))
    picture.save(stream, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
