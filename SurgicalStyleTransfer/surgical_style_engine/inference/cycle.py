"""The way there and back: the cycle metrics of a model on a volume, from the model's two directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from typing_extensions import Unpack

from surgical_style_engine.common.run_options import RunOptions, RunSettings
from surgical_style_engine.metrics.cycle import CycleMetrics, cycle_metrics
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.resampling import model_size, resize_in_plane
from surgical_style_engine.volumes.volume import Volume

from .air import flat_background
from .planes import planes_for
from .result import Translation
from .runners import runner_for
from .translate import translate_normalized


def cycle_of(
    volume: Volume,
    model: StyleModel,
    translation: Translation,
    *,
    direction: str = "forward",
    mask: np.ndarray | None = None,
    jigsaw: bool = True,
    max_slices: int | None = None,
    options: RunOptions | None = None,
    **run: Unpack[RunSettings],
) -> CycleMetrics | None:
    """Cycle metrics of a translated volume.

    Everything runs in one plane (the first of the options' planes, the model's own by default) on the model's grid, so
    that the metrics judge the network and not the resampling to and fro.

    Args:
        volume: that was translated.
        model: that translated it.
        translation: with its normalised arrays.
        direction: that of the translation.
        mask: bool (z, y, x) on the input's grid; everywhere if None.
        jigsaw: also compute the Jigsaw Puzzle Error, which takes four passes more.
        max_slices: judge this many slices only, evenly spread over the mask (in one block in its middle for 2.5-D
            models, which need neighbours); the maps are NaN elsewhere.
        options: how to run the network; progress is called with (translations done, translations in all) after each
            of the 2 to 7 passes, and a runner is that of the translation's direction.
        **run: fields of ``RunOptions``, laid over the options.

    Returns:
        The metrics, with ``returned`` and ``error`` on the input's grid; None for a model without a way back.

    Raises:
        InputError, OutOfMemoryError, Cancelled: as ``translate_volume`` does.
    """
    options = RunOptions.of(options, run)
    card = model.card
    other = card.way_back(direction)
    if other is None or card.domain_from(direction).channels != card.domain_to(direction).channels:
        return None
    plane = planes_for(volume, options.planes, card)[0]
    grid = ModelGrid(volume, plane, card.spacing_mm)
    region = grid.to_model(np.ones(volume.array.shape[1:], bool) if mask is None else mask) > 0.5
    chosen = grid.choose(region, max_slices, contiguous=card.stack > 1)
    source = grid.to_model(translation.normalized_input, chosen)
    judged = _without_air(grid.take(region, chosen), None if volume.is_2d else flat_background(source))
    translated = None
    if grid.same_size and translation.disagreement is None:
        translated = grid.to_model(translation.normalized_output, chosen)
    passes = _Passes(model, grid, options, direction, total=(2 + 4 * jigsaw) + (translated is None))
    metrics = cycle_metrics(
        source, passes.way(direction), passes.way(other), judged, translated=translated, jigsaw=jigsaw
    )
    return replace(
        metrics,
        returned=grid.to_input(metrics.returned, chosen),
        error=grid.to_input(metrics.error, chosen),
        slices=len(chosen),
    )


def _without_air(region: np.ndarray, air: np.ndarray | None) -> np.ndarray:
    """A generous mask has air along its rim, whose noise would make the pipeline take it for something to translate."""
    return region & ~air if air is not None and (region & ~air).any() else region


class _Passes:
    """Translations on the model's grid, counted."""

    def __init__(self, model: StyleModel, grid: ModelGrid, options: RunOptions, direction: str, total: int) -> None:
        self._model, self._grid, self._options, self._total = model, grid, options, total
        self._warm = direction  # the one that the options' runner runs
        self._done = 0

    def way(self, direction: str) -> Callable[[np.ndarray], np.ndarray]:
        """What translates (c, z, y, x) in [-1, 1] on the model's grid in a direction."""
        grid = self._grid
        known = self._options if direction == self._warm else replace(self._options, runner=None)
        runner = runner_for(self._model, direction, known)
        options = replace(self._options, planes=[grid.plane], runner=runner, progress=None)

        def translate(array: np.ndarray) -> np.ndarray:
            on_grid = Volume(array, grid.spacing, is_2d=grid.volume.is_2d)
            result = translate_normalized(on_grid, self._model, direction, options=options)
            self._done += 1
            if self._options.progress is not None:
                self._options.progress(self._done, self._total)
            return result

        return translate


class ModelGrid:
    """The way between an input's grid and canonical axes with the model's pixels in plane.

    Arrays on the model's side are canonical (c, z, y, x); ``take`` and ``choose`` count slices across the plane.

    Args:
        volume: the input.
        plane: axial, coronal or sagittal.
        spacing_mm: of the model's pixels; None keeps the input's.

    Attributes:
        depth: how many slices there are.
        same_size: whether the input's pixels are the model's.
        spacing: (x, y, z) in mm, for which the pipeline works out exactly the model's size again.
    """

    def __init__(self, volume: Volume, plane: str, spacing_mm: float | None) -> None:
        self.plane, self.volume = plane, volume
        canonical, self.reorientation = geometry.to_canonical(volume)
        first = geometry.plane_first(canonical.array, plane)
        self.depth, self.original = first.shape[1], (first.shape[2], first.shape[3])
        slice_mm, *pixel_mm = geometry.plane_spacing(canonical.spacing, plane)
        self.size = self.original
        if not volume.is_2d and spacing_mm is not None:
            self.size = model_size(self.original, (pixel_mm[0], pixel_mm[1]), spacing_mm)
        self.same_size = self.size == self.original
        # Pixel distances for which the pipeline works out exactly this size again, in the order x, y, z.
        steps = [slice_mm, *(mm * n / m for mm, n, m in zip(pixel_mm, self.original, self.size, strict=True))]
        position = [int(axis) for axis in geometry.plane_spacing((0, 1, 2), plane)]
        self.spacing = tuple(steps[position.index(axis)] for axis in range(3))

    def to_model(self, array: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:
        """(c,z,y,x) or (z,y,x) on the input's grid -> (c,z,y,x) float32 on the model's; the chosen slices, or all."""
        array = np.asarray(array, np.float32)
        array = array[None] if array.ndim == 3 else array
        first = geometry.plane_first(self.reorientation.apply(array), self.plane)
        if chosen is not None and len(chosen) < self.depth:
            first = first[:, chosen]
        return geometry.plane_first_undo(resize_in_plane(first, self.size), self.plane)

    def choose(self, region: np.ndarray, limit: int | None, contiguous: bool) -> np.ndarray:
        """Slices to judge: all, or `limit` of those that meet the region (1,z,y,x)."""
        used = np.flatnonzero(geometry.plane_first(region, self.plane).any((0, 2, 3)))
        if limit is None or limit >= len(used):
            return np.arange(self.depth)
        if contiguous:
            middle = len(used) // 2 - limit // 2
            return used[middle : middle + limit]
        return used[np.linspace(0, len(used) - 1, limit + 2)[1:-1].round().astype(int)]

    def take(self, array: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """The chosen slices of a (c,z,y,x) array on the model's grid."""
        if len(chosen) == self.depth:
            return array
        return geometry.plane_first_undo(geometry.plane_first(array, self.plane)[:, chosen], self.plane)

    def to_input(self, array: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """(c,z,y,x) of the chosen slices -> the input's grid, NaN in the others."""
        resized = resize_in_plane(geometry.plane_first(array, self.plane), self.original)
        whole = np.full((resized.shape[0], self.depth, *self.original), np.nan, np.float32)
        whole[:, chosen] = resized
        return self.reorientation.undo(geometry.plane_first_undo(whole, self.plane))
