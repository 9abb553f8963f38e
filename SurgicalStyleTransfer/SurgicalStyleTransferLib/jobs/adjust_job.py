"""Blending a result anew with another strength and other adjustments, all frames of it, without the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import slicer

from SurgicalStyleTransferLib.mrml import outputs, sequences
from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange

from .adjustments import Adjustments
from .job import FramewiseJob, Listener
from .style_job import Result


class AdjustJob(FramewiseJob):
    """Changes a result's node once all its frames are there; its outcome is the ``Result``, which says how."""

    def __init__(
        self,
        client: WorkerClient,
        exchange: Exchange,
        result: Result,
        listener: Listener,
        *,
        strength: float,
        adjustments: Adjustments | None = None,
        is_kept: Callable[[], bool] = lambda: True,
    ) -> None:
        """A job that is not started yet.

        Args:
            client: of the worker.
            exchange: for the blended volumes.
            result: what is changed.
            listener: whom to tell.
            strength: blend of input (0) and translation (1).
            adjustments: None leaves them; of others, what acts before the network stays as it was.
            is_kept: whether the result is still the one of its node; asked before the node is touched.
        """
        super().__init__(client, exchange, listener)
        self._result, self._is_kept = result, is_kept
        self._strength = strength
        self._adjustments = replace(
            adjustments or result.adjustments,
            flatten_bias=result.adjustments.flatten_bias,
            ensemble=result.adjustments.ensemble,
        )
        self._paths: list[Path] = []

    def _frame_count(self) -> int:
        return len(self._result.keys)

    def _ask_frame(self, index: int) -> None:
        message = self._adjustments.message(self._exchange, with_network=False)
        self._paths.append(self._new_file("adjusted"))
        self._ask(
            "adjust",
            self._on_frame,
            keep=self._result.keys[index],
            output=str(self._paths[-1]),
            strength=self._strength,
            adjustments=message,
        )

    def _all_answered(self) -> None:
        result = self._result
        node = slicer.mrmlScene.GetNodeByID(result.output_id)
        if node is None or not self._is_kept():
            # Gone meanwhile; after another scene was loaded, its ID may be another volume's.
            self._fail("stopped", "")
            return
        self._write(node)
        first = self._answers[0]
        result.strength, result.adjustments = self._strength, self._adjustments
        result.used_strength, result.consistency = first["strength"], first["consistency"]
        self._finish(result)

    def _write(self, node: object) -> None:
        arrays = [self._exchange.take(path) for path in self._paths]
        source = slicer.mrmlScene.GetNodeByID(self._result.plan.input_id)
        name = source.GetName() if source is not None else ""

        def write(volume: object, index: int) -> None:
            slicer.util.updateVolumeFromArray(volume, arrays[index])
            outputs.mark(volume, name, self._answers[index]["notes"])

        if len(arrays) > 1:
            sequences.replace_frames(node, write)
            outputs.mark(node, name, self._answers[-1]["notes"])
        else:
            write(node, 0)
