"""A volume through a network: one plane written as it comes, or several averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import ModelCard
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.volume import Volume

from . import plane_slices
from .air import Normalise, untouched_air
from .counter import Counter
from .ensemble import Variant, variants_of
from .plane_job import PlaneJob
from .result import NOTHING


def planes_for(canonical: Volume, planes: Sequence[str] | None, card: ModelCard) -> list[str]:
    """The planes a canonical volume is run in: those asked for, else the model's own.

    A single slice is translated in its own plane, whichever that is: across it there is nothing to see.

    Raises:
        InputError: for an unknown plane.
    """
    chosen = list(dict.fromkeys(planes or [card.plane]))
    if "all" in chosen:
        chosen = list(geometry.PLANES)
    for plane in chosen:
        if plane not in geometry.PLANES:
            raise InputError(f"There is no plane '{plane}'; use axial, coronal, sagittal or all.")
    flat = [plane for plane in geometry.PLANES if geometry.plane_first(canonical.array, plane).shape[1] == 1]
    return flat[:1] or chosen


@dataclass(frozen=True, eq=False)
class VolumeRun:
    """A volume on its way through a network. Its methods raise what ``PlaneJob.run`` does.

    Attributes:
        canonical: (c, z, y, x) with canonical axes.
        reorientation: how it was turned to them.
        normalise: from its values to [-1, 1]; None where they are normalised already.
        card: of the model.
        channels: of the translation.
        runner: the network.
        batch_size: slices at once; by the device if None.
        counter: progress and cancelling.
    """

    canonical: Volume
    reorientation: geometry.Reorientation
    normalise: Normalise | None
    card: ModelCard
    channels: int
    runner: Runner
    batch_size: int | None
    counter: Counter

    def written(self, plane: str, to_units: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Run one plane and write its slices as they come, so that nothing but input and output is held whole.

        Args:
            plane: axial, coronal or sagittal.
            to_units: from normalised intensities to those of the output.

        Returns:
            (channels, z, y, x) float32, as the input is stored.
        """
        self.counter.check()
        canonical, normalise = self.canonical, self.normalise
        if canonical.array.size <= plane_slices.LARGEST_WHOLE:
            canonical, normalise = self._normalized(), None
        job = PlaneJob(canonical.array, canonical.spacing, plane, self.card, canonical.is_2d, normalise)
        self.counter.total = len(job.occupied)
        air = untouched_air(canonical, self.card, self.channels, normalise)
        air = None if air is None else geometry.plane_first(air, plane)
        output = np.empty((self.channels, *self._stored_size()), np.float32)
        view = geometry.plane_first(self.reorientation.apply(output), plane)

        def put(which: np.ndarray, part: np.ndarray) -> None:
            if air is not None:
                np.copyto(part, job.slices.own(which), where=air[:, which])
            view[:, which] = to_units(part)

        job.run(self.runner, self.channels, self.batch_size, self.counter, put)
        return output

    def averaged(
        self, planes: Sequence[str], ensemble: bool = False, with_input: bool = True
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Run planes, and variants of them where an ensemble is asked for, and average them.

        Args:
            planes: at least one.
            ensemble: run every plane in several variants.
            with_input: whether the normalised input is wanted.

        Returns:
            As the input is stored, float32: the normalised input (c, z, y, x), empty if not wanted; its translation
            (channels, z, y, x), normalised; the standard deviation of planes and variants (1, z, y, x), None where
            there is but one.
        """
        normalized = self._normalized()
        output, spread = self._run_planes(normalized, planes, ensemble)
        undo = self.reorientation.undo
        disagreement = None if spread is None else undo(spread)
        return undo(normalized.array) if with_input else NOTHING, undo(output), disagreement

    def _run_planes(
        self, normalized: Volume, planes: Sequence[str], ensemble: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        self.counter.check()
        jobs = [PlaneJob(normalized.array, normalized.spacing, plane, self.card, normalized.is_2d) for plane in planes]
        passes = [(job, variant) for job in jobs for variant in variants_of(job.plane, ensemble)]
        self.counter.total = sum(len(job.occupied) for job, _ in passes)
        air = untouched_air(normalized, self.card, self.channels)
        results = [self._run_plane(job, variant) for job, variant in passes]
        if air is not None:
            for result in results:
                np.copyto(result, normalized.array, where=air)
        if len(results) == 1:
            return results[0], None
        spread = np.std(results, axis=0, dtype=np.float32).mean(axis=0, keepdims=True)
        return np.mean(results, axis=0, dtype=np.float32), spread

    def _run_plane(self, job: PlaneJob, variant: Variant) -> np.ndarray:
        """(channels, z, y, x) with canonical axes."""
        result = np.empty((self.channels, job.slices.count, *job.own_size), np.float32)

        def put(which: np.ndarray, part: np.ndarray) -> None:
            result[:, which] = part

        job.run(self.runner, self.channels, self.batch_size, self.counter, put, variant)
        return geometry.plane_first_undo(result, job.plane)

    def _normalized(self) -> Volume:
        if self.normalise is None:
            return self.canonical
        return replace(self.canonical, array=self.normalise(self.canonical.array))

    def _stored_size(self) -> tuple[int, ...]:
        """(z, y, x) of the input as it is stored."""
        size = np.empty(3, int)
        size[list(self.reorientation.axes)] = self.canonical.array.shape[1:]
        return tuple(size.tolist())
