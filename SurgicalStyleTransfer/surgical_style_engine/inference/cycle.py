"""The cycle figures of a model on a volume: `cycle_metrics` fed with the model's two directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from surgical_style_engine.metrics.cycle import CycleMetrics, cycle_metrics
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.volume import Volume

if TYPE_CHECKING:
    from surgical_style_engine.models.folder import StyleModel

    from .translate import Translation


def cycle_of(
    volume: Volume,
    model: StyleModel,
    translation: Translation,
    *,
    direction: str = "forward",
    mask: np.ndarray | None = None,
    jigsaw: bool = True,
    max_slices: int | None = None,
    planes: Sequence[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    backend: str = "auto",
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> CycleMetrics | None:
    """Cycle figures of a translated volume, or None for a model without a way back.

    Everything runs in one plane (the first of `planes`, the model's own by default) on the model's grid, so that the
    figures judge the network and not the resampling to and fro. `returned` and `error` come back on the input's grid.
    mask: bool (z,y,x) on the input's grid. max_slices: judge this many slices only, evenly spread over the mask (in
    one block in its middle for 2.5-D models, which need neighbours); the maps are NaN elsewhere.
    progress: called with (translations done, translations in all) after each of the 2 to 7 passes.
    """
    from surgical_style_engine.backends.select import make_runner

    from .translate import flat_background, planes_for, translate_normalized

    card = model.card
    other = "backward" if direction == "forward" else "forward"
    if not {direction, other} <= set(card.directions):
        return None
    origin, goal = card.domain_from(direction), card.domain_to(direction)
    if origin.channels != goal.channels:
        return None
    plane = planes_for(geometry.to_canonical(volume)[0], planes, card)[0]
    grid = _ModelGrid(volume, plane, card.spacing_mm)
    region = grid.to_model(np.ones(volume.array.shape[1:], bool) if mask is None else mask) > 0.5
    chosen = grid.choose(region, max_slices, contiguous=card.stack > 1)
    source = grid.take(grid.to_model(translation.normalized_input), chosen)
    judged = grid.take(region, chosen)
    # A generous mask has air along its rim. Noise there would make the pipeline take air for something to translate.
    air = None if volume.is_2d else flat_background(source)
    if air is not None and (judged & ~air).any():
        judged &= ~air
    translated = None
    if grid.same_size and len(chosen) == grid.depth and translation.disagreement is None:
        translated = grid.to_model(translation.normalized_output)

    passes = (2 + 4 * jigsaw) + (translated is None)
    done = 0

    def translator(way: str) -> Callable[[np.ndarray], np.ndarray]:
        runner = make_runner(model, way, device, precision, backend)

        def run(array: np.ndarray) -> np.ndarray:
            nonlocal done
            result = translate_normalized(
                Volume(array, grid.spacing, is_2d=volume.is_2d),
                model,
                way,
                planes=[grid.plane],
                runner=runner,
                batch_size=batch_size,
                cancelled=cancelled,
            )
            done += 1
            if progress is not None:
                progress(done, passes)
            return result

        return run

    figures = cycle_metrics(
        source,
        translator(direction),
        translator(other),
        judged,
        translated=translated,
        jigsaw=jigsaw,
    )
    return replace(
        figures,
        returned=grid.to_input(figures.returned, chosen),
        error=grid.to_input(figures.error, chosen),
        slices=len(chosen),
    )


class _ModelGrid:
    """The way between an input's grid and canonical axes with the model's pixels in plane.

    Arrays on the model's side are canonical (c,z,y,x); `take` and `choose` count slices across the plane.
    """

    def __init__(self, volume: Volume, plane: str, spacing_mm: float | None) -> None:
        self.plane, self.volume = plane, volume
        canonical, self.reorientation = geometry.to_canonical(volume)
        first = geometry.plane_first(canonical.array, plane)
        self.depth, self.original = first.shape[1], tuple(first.shape[2:])
        slice_mm, *pixel_mm = geometry.plane_spacing(canonical.spacing, plane)
        self.size = self.original
        if not volume.is_2d and spacing_mm is not None:
            self.size = geometry.model_size(self.original, tuple(pixel_mm), spacing_mm)
        self.same_size = self.size == self.original
        # Pixel distances for which the pipeline works out exactly this size again, in the order x, y, z.
        steps = [slice_mm, *(mm * n / m for mm, n, m in zip(pixel_mm, self.original, self.size, strict=True))]
        position = [int(axis) for axis in geometry.plane_spacing((0, 1, 2), plane)]
        self.spacing = tuple(steps[position.index(axis)] for axis in range(3))

    def to_model(self, array: np.ndarray) -> np.ndarray:
        """(c,z,y,x) or (z,y,x) on the input's grid -> (c,z,y,x) float32 on the model's."""
        array = np.asarray(array, np.float32)
        array = array[None] if array.ndim == 3 else array
        first = geometry.plane_first(self.reorientation.apply(array), self.plane)
        return geometry.plane_first_undo(geometry.resize_in_plane(first, self.size), self.plane)

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
        resized = geometry.resize_in_plane(geometry.plane_first(array, self.plane), self.original)
        whole = np.full((resized.shape[0], self.depth, *self.original), np.nan, np.float32)
        whole[:, chosen] = resized
        return self.reorientation.undo(geometry.plane_first_undo(whole, self.plane))
