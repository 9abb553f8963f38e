"""The slices a page shows: read from the volumes that a report names, windowed, and packed into sheets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.common.thresholds import NOISIEST_AIR
from surgical_style_engine.imageio.formats import PICTURE_ENDINGS
from surgical_style_engine.models.card import Domain, ModelCard
from surgical_style_engine.volumes.geometry import coarsest_axis
from surgical_style_engine.volumes.normalization import RobustPercentile
from surgical_style_engine.volumes.resampling import resample_like
from surgical_style_engine.volumes.volume import Volume

from . import sheets
from .files import read_named

MOST_SLICES = 64
ERROR_TOP = 0.5  # of 2, drawn brightest: that of the comparison picture
DISAGREEMENT_TOP = 0.25  # of 2, drawn brightest in a map of disagreement
BRIGHTEST = 98.0  # percentile of the body's intensities that is drawn white; fat would leave a brain dark
MAP_TITLES = {
    "cycle_error": "Cycle error",
    "disagreement": "Disagreement",
    "error_bound": "Error bound",
    "reference_error": "Difference to the real image",
    "change": "Change from the input",
}
_STORED_MAPS = (
    ("cycle_error", "There and back again. Blue: not judged."),
    ("disagreement", "Standard deviation over planes, flips and shifts."),
)


@dataclass(frozen=True)
class Pane:
    """One image of the viewer.

    Attributes:
        title: What is shown.
        kind: source, other, translation, reference or error.
        sheet: Its slices in rows, a JPEG as data URI.
        note: One sentence below it.
        top: Of 2, what is drawn brightest in a map.
        scale: What stands there instead, for a map in units.
    """

    title: str
    kind: str
    sheet: str
    note: str = ""
    top: float = ERROR_TOP
    scale: str = ""


@dataclass
class Pictures:
    """What the viewer of one volume shows.

    Attributes:
        plane: axial, coronal, sagittal, or picture.
        slices: Numbers (from 0) in the volume's file of the slices shown.
        total: Slices the volume has.
        positions: Text such as "S 34.5 mm", a slice each.
        tile: (width, height) in square pixels of each slice in a sheet.
        columns: Tiles in a row of a sheet.
        panes: The images.
        still: Slices beside one another, a JPEG as data URI.
        still_slices: Their numbers.
        notes: Sentences on what could not be shown.
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
    """An image on its way to the page: (c, z, y, x) in [0, 1]; for errors (1, z, y, x), negative = nothing."""

    title: str
    kind: str
    array: np.ndarray
    note: str = ""
    top: float = ERROR_TOP
    scale: str = ""


@dataclass(frozen=True)
class _Entry:
    """One volume of a report and what is needed to read and normalise it.

    Attributes:
        values: As in the report.
        folder: Of the report.
        call: What a path is called on the page.
        notes: Where sentences on what cannot be shown go.
        source_domain: How the input is normalised; None for robust percentiles.
        target_domain: How the translation is.
    """

    values: Mapping[str, Any]
    folder: Path
    call: Callable[[str], str]
    notes: list[str]
    source_domain: Domain | None = None
    target_domain: Domain | None = None

    @property
    def maps(self) -> Mapping[str, Any]:
        """The volumes that the run kept for the page, by name."""
        maps = self.values.get("maps")
        return maps if isinstance(maps, Mapping) else {}

    @property
    def fused(self) -> bool:
        """Whether it is a fusion."""
        return bool(self.values.get("others"))

    @property
    def result_path(self) -> Any:
        """Where the whole translation is; blends are shown where it was not kept."""
        return self.maps.get("translation") or self.values.get("output")

    def read(self, path: Any) -> Volume | None:
        """The volume of a path, or None and a note."""
        return read_named(path, self.folder, self.notes)


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

    Args:
        entry: ``input``, ``output`` and what else names volumes (others, reference, maps), as in a report.
        card: Of the model, for the same normalisation as that of the metrics; robust percentiles without it.
        direction: forward or backward.
        folder: Of the report, where files of relative paths, or that were moved along with it, are looked for.
        named: Slices that must be shown.
        most: How many slices at most.
        call: What a path is called on the page.

    Returns:
        The pictures; files that are missing, damaged or on another grid are sentences in its ``notes``.
    """
    pictures = Pictures()
    volumes = _Entry(entry, folder, call, pictures.notes)
    if card is not None and not volumes.fused:
        domains = card.domain_from(direction), card.domain_to(direction)
        volumes = _Entry(entry, folder, call, pictures.notes, *domains)
    source = volumes.read(entry.get("input"))
    result = volumes.read(volumes.result_path)
    if result is None:
        if not volumes.result_path:
            pictures.notes.append("The run kept no translation (see --maps), so there are no pictures.")
        return pictures
    if source is not None and not source.same_grid(result):
        pictures.notes.append(f"{entry.get('input')} is not on the grid of the result and is not shown.")
        source = None
    normal_source = None if source is None else _normalised(source, volumes.source_domain)
    layers = [] if normal_source is None else [_source_layer(volumes, normal_source)]
    layers += _other_layers(volumes, result)
    normal_result = _normalised_result(volumes, result)
    target = volumes.target_domain
    title = "Fusion" if volumes.fused else f"Translation ({target.name})" if target else "Translation"
    layers.append(_Layer(title, "translation", _grey(normal_result)))
    normal_reference = _reference(volumes, result)
    if normal_reference is not None:
        layers.append(_Layer(f"Real {target.name}" if target else "Real image", "reference", _grey(normal_reference)))
    layers += _map_layers(volumes, result, normal_source, normal_result, normal_reference)
    _pack(pictures, layers, result, _axis(entry, result), named, most)
    return pictures


def _source_layer(volumes: _Entry, normal_source: np.ndarray) -> _Layer:
    domain = volumes.source_domain
    if volumes.fused:
        title = f"Reference: {volumes.call(volumes.values['input'])}"
    else:
        title = f"Input ({domain.name})" if domain else "Input"
    return _Layer(title, "source", _grey(normal_source))


def _other_layers(volumes: _Entry, result: Volume) -> list[_Layer]:
    """The other inputs of a fusion, laid over its result as the report says."""
    layers = []
    for place, path in enumerate(volumes.values.get("others") or []):
        other = volumes.read(path)
        if other is None:
            continue
        transform, note = _transform(volumes.values, place), ""
        if transform is not None:
            other = resample_like(other, result, transform=transform)
        elif not other.same_grid(result):
            other, note = resample_like(other, result), "Laid over by scanner coordinates."
        layers.append(_Layer(f"Other: {volumes.call(path)}", "other", _grey(_normalised(other, None)), note))
    return layers


def _transform(entry: Mapping[str, Any], place: int) -> sitk.Transform | None:
    """The transform that a fusion's report has for one of the others, from points of the reference to its own."""
    registrations = entry.get("registrations") or []
    rows = registrations[place].get("matrix") if place < len(registrations) else None
    if rows is None:
        return None
    matrix = np.asarray(rows, float)
    if matrix.shape != (3, 4):
        raise ValueError("the matrix of a registration has 3 rows of 4 numbers")
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:, :3].ravel().tolist())
    transform.SetTranslation(matrix[:, 3].tolist())
    return transform


def _normalised_result(volumes: _Entry, result: Volume) -> np.ndarray:
    """The translation in [-1, 1].

    A blend with the input, or a match, has a range of its own; the model's belongs to the whole translation. Pictures
    are scaled when they are written.
    """
    entry, target = volumes.values, volumes.target_domain
    own_range = entry.get("mask_blends") or entry.get("match") or str(volumes.result_path).endswith(PICTURE_ENDINGS)
    if target is not None and entry.get("strength") in (None, 1) and not own_range:
        return target.inverse.forward(result.array)
    return _normalised(result, target)


def _reference(volumes: _Entry, result: Volume) -> np.ndarray | None:
    path = volumes.maps.get("reference") or volumes.values.get("reference")
    volume = volumes.read(path)
    if volume is None:
        return None
    if not volume.same_grid(result) or volume.channels != result.channels:
        volumes.notes.append(
            f"{path} is not on the grid of the translation and is not shown (--maps keeps it registered)."
        )
        return None
    return _normalised(volume, volumes.target_domain)


def _map_layers(
    volumes: _Entry,
    result: Volume,
    source: np.ndarray | None,
    translation: np.ndarray,
    reference: np.ndarray | None,
) -> list[_Layer]:
    """Every map there is; the change from the input only where there is no other, for it is no error."""
    maps = []
    for key, note in _STORED_MAPS:
        volume = volumes.read(volumes.maps.get(key))
        if volume is not None and volume.same_grid(result):
            maps.append((key, volume.array, note))
    if reference is not None and reference.shape == translation.shape:
        note = "Normalised intensities, each image by its own."
        maps.append(("reference_error", np.abs(translation - reference), note))
    if not maps and source is not None and source.shape == translation.shape and not volumes.fused:
        maps.append(("change", np.abs(translation - source), "How far the translation moved each voxel: no error."))
    layers = []
    for key, array, note in maps:
        top = DISAGREEMENT_TOP if key == "disagreement" else ERROR_TOP
        values = array.mean(axis=0, keepdims=True, dtype=np.float32) / top
        layers.append(_Layer(MAP_TITLES[key], "error", values, note, top))
    return layers + _bound_layers(volumes, result)


def _bound_layers(volumes: _Entry, result: Volume) -> list[_Layer]:
    """The error bound, brightest from where it says no more than one grey would."""
    verdict = (volumes.values.get("quality") or {}).get("verdict") or {}
    bound = verdict.get("bound") or {}
    path = volumes.maps.get("error_bound")
    volume = volumes.read(path) if bound.get("limit") else None
    if volume is None or not volume.same_grid(result):
        return []
    units = "" if bound["units"] == "arbitrary" else f" {bound['units']}"
    note = f"{bound['level']:.0%} of the voxels are expected within it. Blue: outside of the body."
    scale = f"±{bound['limit']:.3g}{units}"
    values = volume.array.astype(np.float32) / np.float32(bound["limit"])
    return [_Layer(MAP_TITLES["error_bound"], "error", values, note, scale=scale)]


def _axis(entry: Mapping[str, Any], volume: Volume) -> int:
    """The array axis (0, 1, 2 for z, y, x) whose slices the report's metrics count, else that of the thickest."""
    quality = entry.get("quality")
    slices = quality.get("slices") if isinstance(quality, Mapping) else None
    name = slices.get("axis") if isinstance(slices, Mapping) else None
    return "zyx".index(name) if name in ("z", "y", "x") else coarsest_axis(volume)


def _normalised(volume: Volume, domain: Domain | None) -> np.ndarray:
    """(c, z, y, x) in [-1, 1], as the domain does it; by robust percentiles where there is none."""
    if volume.channels == 3:
        top = 65535.0 if volume.array.dtype == np.uint16 else 255.0
        return np.clip(volume.array.astype(np.float32) / top * 2 - 1, -1, 1)
    return (domain.normalization if domain else RobustPercentile()).fit(volume.array).forward(volume.array)


def _grey(normalised: np.ndarray) -> np.ndarray:
    """[-1, 1] -> [0, 1], white from the BRIGHTEST percentile of the body on."""
    body = normalised[normalised > NOISIEST_AIR]
    top = max(float(np.percentile(body[:: max(1, body.size // 1_000_000)], BRIGHTEST)), -0.5) if body.size else 1.0
    return np.clip((normalised + 1) / (top + 1), 0, 1)


def _pack(pictures: Pictures, layers: list[_Layer], volume: Volume, axis: int, named: Sequence[int], most: int) -> None:
    """Choose the slices, and draw those of every layer into its sheet."""
    stacks = [sheets.as_slices(volume, layer.array, axis) for layer in layers]
    pictures.total = stacks[0].shape[1]
    body = next((stack for stack, layer in zip(stacks, layers, strict=True) if layer.kind != "error"), stacks[0])
    pictures.slices = sheets.choose_slices((body > 0.05).mean(axis=(0, 2, 3)) > 0.02, named, most)
    height, width = stacks[0].shape[2:]
    grid = sheets.grid_of(volume, axis, pictures.total, (height, width), pictures.slices)
    pictures.plane, pictures.tile, pictures.positions = grid.plane, grid.tile, grid.positions
    pictures.columns = math.ceil(math.sqrt(len(pictures.slices)))
    tiles = [
        [sheets.drawn(stack[:, index], layer.kind == "error", grid.tile) for index in pictures.slices]
        for stack, layer in zip(stacks, layers, strict=True)
    ]
    for layer, drawn in zip(layers, tiles, strict=True):
        packed = sheets.sheet(drawn, pictures.columns)
        pictures.panes.append(Pane(layer.title, layer.kind, packed, layer.note, layer.top, layer.scale))
    pictures.still, pictures.still_slices = sheets.still(pictures.slices, tiles, named)
