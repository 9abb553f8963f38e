"""A volume through a network: one plane written as it comes, or several averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.common import thresholds
from surgical_style_engine.common.progress import Counter
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.volume import Volume

from .air import Normalise, untouched_air
from .ensemble import Variant, variants_of
from .plane_job import PlaneJob
from .result import NOTHING


def planes_for(volume: Volume, planes: Sequence[str] | None, card: ModelCard) -> list[str]:
    """The planes a volume is run in: those asked for, else the model's own.

    A single slice is translated in its own plane, whichever that is: across it there is nothing to see.

    Args:
        volume: any orientation.
        planes: axial, coronal, sagittal or all.
        card: of the model.

    Raises:
        InputError: for an unknown plane.
    """
    chosen = list(dict.fromkeys(planes or [card.plane]))
    if "all" in chosen:
        chosen = list(geometry.PLANES)
    for plane in chosen:
        if plane not in geometry.PLANES:
            raise InputError(f"There is no plane '{plane}'; use axial, coronal, sagittal or all.")
    canonical = geometry.to_canonical(volume)[0].array
    flat = [plane for plane in geometry.PLANES if geometry.plane_first(canonical, plane).shape[1] == 1]
    return flat[:1] or chosen


class VolumeRun:
    """A volume on its way through a network. Its methods raise what ``PlaneJob.run`` does.

    Args:
        volume: (c, z, y, x), any orientation.
        card: of the model.
        channels: of the translation.
        runner: the network.
        options: batch size, progress and cancelling.
        normalise: from the volume's values to [-1, 1]; None where they are normalised already.

    Attributes:
        canonical: the volume with canonical axes.
        counter: what was done.
    """

    def __init__(
        self,
        volume: Volume,
        card: ModelCard,
        channels: int,
        runner: Runner,
        options: RunOptions,
        normalise: Normalise | None = None,
    ) -> None:
        self.canonical, self._reorientation = geometry.to_canonical(volume)
        self.counter = Counter(options.progress, options.cancelled)
        self._card, self._channels, self._runner, self._normalise = card, channels, runner, normalise
        self._batch_size = options.batch_size
        self._stored_size = volume.array.shape[1:]

    def written(self, plane: str, to_units: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Run one plane and write its slices as they come, so that nothing but input and output is held whole.

        Args:
            plane: axial, coronal or sagittal.
            to_units: from normalised intensities to those of the output.

        Returns:
            (channels, z, y, x) float32, as the input is stored.
        """
        self.counter.check()
        canonical, normalise = self.canonical, self._normalise
        if canonical.array.size <= thresholds.LARGEST_WHOLE:
            canonical, normalise = self._normalized(), None
        job = PlaneJob(canonical.array, canonical.spacing, plane, self._card, canonical.is_2d, normalise)
        self.counter.total = len(job.occupied)
        air = untouched_air(canonical, self._card, self._channels, normalise)
        air = None if air is None else geometry.plane_first(air, plane)
        output = np.empty((self._channels, *self._stored_size), np.float32)
        view = geometry.plane_first(self._reorientation.apply(output), plane)

        def put(which: np.ndarray, part: np.ndarray) -> None:
            if air is not None:
                np.copyto(part, job.slices.own(which), where=air[:, which])
            view[:, which] = to_units(part)

        job.run(self._runner, self._channels, self._batch_size, self.counter, put)
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
        undo = self._reorientation.undo
        disagreement = None if spread is None else undo(spread)
        return undo(normalized.array) if with_input else NOTHING, undo(output), disagreement

    def _run_planes(
        self, normalized: Volume, planes: Sequence[str], ensemble: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        self.counter.check()
        jobs = [PlaneJob(normalized.array, normalized.spacing, plane, self._card, normalized.is_2d) for plane in planes]
        passes = [(job, variant) for job in jobs for variant in variants_of(job.plane, ensemble)]
        self.counter.total = sum(len(job.occupied) for job, _ in passes)
        air = untouched_air(normalized, self._card, self._channels)
        results = [self._run_plane(job, variant) for job, variant in passes]
        if air is not None:
            for result in results:
                np.copyto(result, normalized.array, where=air)
        if len(results) == 1:
            return results[0], None
        spread: np.ndarray = np.std(results, axis=0, dtype=np.float32).mean(axis=0, keepdims=True)
        return np.asarray(np.mean(results, axis=0, dtype=np.float32)), spread

    def _run_plane(self, job: PlaneJob, variant: Variant) -> np.ndarray:
        """(channels, z, y, x) with canonical axes."""
        result = np.empty((self._channels, job.slices.count, *job.own_size), np.float32)

        def put(which: np.ndarray, part: np.ndarray) -> None:
            result[:, which] = part

        job.run(self._runner, self._channels, self._batch_size, self.counter, put, variant)
        return geometry.plane_first_undo(result, job.plane)

    def _normalized(self) -> Volume:
        if self._normalise is None:
            return self.canonical
        return replace(self.canonical, array=self._normalise(self.canonical.array))
