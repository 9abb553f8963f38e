"""The quality metrics of a result: of every frame of a sequence, one after the other, and their mean."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange

from .job import FramewiseJob, Listener
from .judged import Judged


@dataclass(frozen=True)
class Verdict:
    """What judging a result has found.

    Attributes:
        metrics: as the worker states them; of a sequence see ``mean``.
        error_map: float32 (z, y, x), the cycle error per voxel; None for a model without a way back.
        judged: the image they are of.
        bound_map: float32 (z, y, x), the calibrated error bound in the target's units, negative where there is none;
            None where it is not calibrated, and for sequences.
    """

    metrics: dict
    error_map: np.ndarray | None
    judged: Judged
    bound_map: np.ndarray | None = None


@dataclass(frozen=True)
class Extent:
    """How much is judged.

    Attributes:
        max_slices: how many slices the cycle metrics are computed on at most; None for all.
        sampled: on no more than take as long as the translation did.
        cycle: with the cycle metrics, which run the network.
    """

    max_slices: int | None = None
    sampled: bool = False
    cycle: bool = True


class MetricsJob(FramewiseJob):
    """Judges the image that was delivered last for a result; its outcome is a ``Verdict``."""

    def __init__(
        self,
        client: WorkerClient,
        exchange: Exchange,
        judged: Judged,
        keys: list[str],
        listener: Listener,
        *,
        reference: dict | None = None,
        extent: Extent,
    ) -> None:
        """A job that is not started yet.

        Args:
            client: of the worker.
            exchange: for the error maps.
            judged: what is judged.
            keys: of the translations that the worker keeps, one a frame.
            listener: whom to tell.
            reference: the worker's description of a registered volume of the target domain.
            extent: how much of it.
        """
        super().__init__(client, exchange, listener)
        self.judged = judged
        self._keys = keys
        self._arguments = {"reference": reference, **asdict(extent)}
        self._map_path: Path | None = None
        self._bound_path: Path | None = None
        self._bound: np.ndarray | None = None
        self._map_sum: np.ndarray | None = None

    def _frame_count(self) -> int:
        return len(self._keys)

    def _ask_frame(self, index: int) -> None:
        self._map_path = self._new_file("map")
        # The worker's task has the name of version 0.1.0.
        maps = {"error_map": str(self._map_path)}
        if self._frame_count() == 1:
            self._bound_path = self._new_file("bound")
            maps["bound_map"] = str(self._bound_path)
        self._ask("figures", self._on_frame, keep=self._keys[index], **maps, **self._arguments)

    def _on_frame(self, answer: dict) -> None:
        if answer["has_map"]:
            array = self._exchange.take(self._map_path)
            self._map_sum = array if self._map_sum is None else self._map_sum + array
        if answer["has_bound"]:
            self._bound = self._exchange.take(self._bound_path)
        super()._on_frame(answer)

    def _all_answered(self) -> None:
        error_map = None if self._map_sum is None else self._map_sum / np.float32(self._frame_count())
        metrics = mean([answer["figures"] for answer in self._answers])
        self._finish(Verdict(metrics, error_map, self.judged, self._bound))


def mean(frames: list[dict]) -> dict:
    """The metrics of a sequence: the mean of every number over the frames, slice by slice where there are lists.

    Args:
        frames: the metrics of each frame, equally built.

    Returns:
        The same keys, texts being those of the first frame, and ``frames`` with those of each. A frame that lacks a
        metric does not count for it. One frame's metrics are returned as they are.
    """
    if len(frames) == 1:
        return frames[0]
    return {**_mean(frames), "frames": frames}


def _mean(values: list) -> object:
    first = values[0]
    if isinstance(first, dict):
        return {key: _mean([value.get(key) for value in values if isinstance(value, dict)]) for key in first}
    if isinstance(first, list) and all(isinstance(value, list) and len(value) == len(first) for value in values):
        return [_mean(list(column)) for column in zip(*values, strict=True)]
    numbers = [value for value in values if _is_number(value)]
    if numbers and (first is None or _is_number(first)):
        return sum(numbers) / len(numbers)
    return first


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
