"""One slice at a time, for looking while scrolling: the same pixels a whole translation would have there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.picture_style import output_domain
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.volume import Volume, check_volume

from .air import flat_background, untouched_air
from .plane_job import PlaneJob
from .several.stacked import Beside, in_order
from .suitability import check_suitable


class SlicePreview:
    """A volume prepared for one model and direction; ``render`` then costs one slice of the network.

    Preparing (orientation, normalisation, resampling of a plane) happens once a volume and once a plane.

    Args:
        volume: the input.
        model: that translates it.
        direction: forward or backward.
        beside: the other inputs of a route of several, on the volume's grid.

    Raises:
        InputError: for an unusable volume.
    """

    def __init__(self, volume: Volume, model: StyleModel, direction: str, beside: Sequence[Beside] = ()) -> None:
        check_volume(volume)
        model.check_direction(direction)
        check_suitable(volume, model, direction)
        self._model, self._direction = model, direction
        landmarks = model.card.domain_from(direction).normalization.fit(volume.array)
        self._target = output_domain(model.card, direction, landmarks)
        first = landmarks.forward(volume.array)
        self._first, _ = geometry.to_canonical(volume.with_array(first))
        if beside:  # kept in the order of the model's domains, and filled with the first one's values where all are air
            inputs = volume.with_array(in_order(first, beside, model.card, direction))
            self._canonical, _ = geometry.to_canonical(inputs)
            self._air = flat_background(self._canonical.array.max(axis=0, keepdims=True))
        else:
            self._canonical = self._first
            self._air = untouched_air(self._canonical, model.card, self._target.channels)
        self._jobs: dict[str, PlaneJob] = {}

    @property
    def range(self) -> list[float]:
        """Low and high of the target's usual values, for a window that stays the same from slice to slice."""
        return [float(self._target.inverse.low), float(self._target.inverse.high)]

    def render(self, runner: Runner, plane: str, position: tuple[float, float, float]) -> tuple[Volume, str, int]:
        """Translate the slice of a plane that is nearest to a position.

        Args:
            runner: of the model and direction.
            plane: axial, coronal or sagittal; a volume of a single slice is shown in its own plane, whichever was asked
                for.
            position: mm, LPS.

        Returns:
            A volume of that one slice in the target's units, canonical orientation; the plane; its number in it.

        Raises:
            InputError: for positions outside.
        """
        if plane not in geometry.PLANES:
            raise InputError(f"There is no plane '{plane}'; use axial, coronal or sagittal.")
        sizes = {name: geometry.plane_first(self._canonical.array, name).shape[1] for name in geometry.PLANES}
        plane = next((name for name in geometry.PLANES if sizes[name] == 1), plane)
        grid = self._canonical
        offset = np.asarray(grid.direction).T @ (np.asarray(position, float) - np.asarray(grid.origin))
        # Which of x, y, z the plane counts along: its numbers 0, 1, 2 come back in the plane's order.
        axis = int(geometry.plane_spacing((0, 1, 2), plane)[0])
        index = round(offset[axis] / grid.spacing[axis])
        if not 0 <= index < sizes[plane]:
            raise InputError("The slice view shows no slice of the volume.")
        normalized = self._slice(runner, plane, index)
        array = geometry.plane_first_undo(self._target.inverse.inverse(normalized)[:, None], plane)
        step = np.asarray(grid.direction)[:, axis] * grid.spacing[axis] * index
        x, y, z = (float(value) for value in np.asarray(grid.origin) + step)
        return replace(grid, array=np.ascontiguousarray(array), origin=(x, y, z), metadata={}), plane, index

    def _slice(self, runner: Runner, plane: str, index: int) -> np.ndarray:
        """Normalised (channels, h, w) of one slice at the input's pixels."""
        if plane not in self._jobs:
            self._jobs = {
                plane: PlaneJob(
                    self._canonical.array, self._canonical.spacing, plane, self._model.card, self._canonical.is_2d
                )
            }
        job = self._jobs[plane]
        channels = self._model.card.domain_to(self._direction).channels
        chosen = np.array([index])
        if index in job.occupied:
            result = job.put_back(chosen, job.translate(runner, chosen, channels))[:, 0]
        else:
            result = job.untouched(chosen, channels)[:, 0]
        if self._air is not None:
            air = geometry.plane_first(self._air, plane)[:, index]
            np.copyto(result, geometry.plane_first(self._first.array, plane)[:, index], where=air)
        return result
