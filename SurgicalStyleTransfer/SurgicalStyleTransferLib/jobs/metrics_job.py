"""The quality figures of a result: of every frame of a sequence, one after the other, and their mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange


class FiguresRun:
    """Asks the worker frame by frame. Exactly one of ``on_done(figures, map or None)`` and ``on_error`` is called."""

    def __init__(
        self,
        client: WorkerClient,
        exchange: Exchange,
        keys: list[str],
        reference: dict | None,
        max_slices: int | None,
        on_done: Callable[[dict, object], None],
        on_error: Callable[[str, str], None],
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._client, self._exchange, self._keys = client, exchange, keys
        self._arguments = {"reference": reference, "max_slices": max_slices}
        self._on_done, self._on_error, self._on_progress = on_done, on_error, on_progress
        self._found: list[dict] = []
        self._map_sum: np.ndarray | None = None
        self._request: int | None = None
        self._path: Path | None = None

    def start(self) -> None:
        self._next()

    def cancel(self) -> None:
        if self._request is not None:
            self._client.cancel(self._request)

    def _next(self) -> None:
        self._path = self._exchange.new_path("map")
        self._request = self._client.request(
            "figures",
            self._on_frame,
            self._on_error,
            self._on_message,
            keep=self._keys[len(self._found)],
            error_map=str(self._path),
            **self._arguments,
        )

    def _on_message(self, stage: str, done: int, total: int) -> None:
        frames = len(self._keys)
        self._on_progress(len(self._found) * total + done, frames * total)

    def _on_frame(self, answer: dict) -> None:
        self._found.append(answer["figures"])
        if answer["has_map"]:
            array = self._exchange.take(self._path)
            self._map_sum = array if self._map_sum is None else self._map_sum + array
        if len(self._found) < len(self._keys):
            self._next()
            return
        figures = mean(self._found)
        error_map = None if self._map_sum is None else self._map_sum / np.float32(len(self._found))
        self._on_done(figures, error_map)


def mean(found: list[dict]) -> dict:
    """The figures of a sequence: the mean of every number over the frames, slice by slice where there are lists.

    ``frames`` holds those of each frame; texts are those of the first. A frame without a figure does not count.
    """
    if len(found) == 1:
        return found[0]
    return {**_mean(found), "frames": found}


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
