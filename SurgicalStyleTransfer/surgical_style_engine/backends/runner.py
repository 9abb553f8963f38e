"""What runs a generator on batches of slices: one interface for torch, OpenVINO, ONNX Runtime and style pictures."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import numpy as np

from surgical_style_engine.errors import OutOfMemoryError

Fetch = Callable[[], np.ndarray]
Tick = Callable[[int, int], None]


class Runner(abc.ABC):
    """A generator ready to run.

    Attributes:
        device: torch's name of what it runs on: cpu, cuda:N or mps.
        precision: what it computes in.
        backend: what computes it.
        note: a sentence for the person where "auto" had to do without something; else empty.
        ahead: how many batches ``start`` takes before the first of them is fetched; 0 where nothing is gained by it.
    """

    device: str = "cpu"
    precision: str = "fp32"
    backend: str
    note: str = ""
    ahead: int = 0

    @abc.abstractmethod
    def run(self, batch: np.ndarray) -> np.ndarray:
        """Translate a batch of slices.

        Args:
            batch: (n, channels, h, w) float32 in [-1, 1].

        Returns:
            (n, channels', h, w) float32; channels' are those of the middle slice, or of the whole stack where the
            network computes no less.

        Raises:
            MemoryError: if it does not fit.
            StyleTransferError: for what else the library says, in one sentence.
        """

    def start(self, batch: np.ndarray) -> Fetch:
        """``run``, where it can be done meanwhile: returns at once with a function that gives the result.

        One batch more than ``ahead`` may be under way; they are fetched in the order in which they were started.
        Without anything to compute meanwhile, the result is finished already.

        Raises:
            MemoryError: if it does not fit, now or when the result is fetched.
        """
        result = self.run(batch)
        return lambda: result

    def begin(self) -> None:  # noqa: B027 - most remember nothing
        """A new volume begins: forget what came of an earlier one."""

    @property
    def warnings(self) -> list[str]:
        """Sentences about every volume that is run."""
        return [self.note] if self.note else []

    def outcome(self) -> dict[str, Any]:
        """What a report says about the run of the last volume beside device, precision and backend; JSON-ready."""
        return {}


class SequenceRunner(Runner):
    """A runner in which each slice of a plane begins from its neighbour's result, so that it takes all at once."""

    @abc.abstractmethod
    def stylize_slices(
        self, array: np.ndarray, channels: int, tick: Tick, finished: Callable[[int], None]
    ) -> np.ndarray:
        """Translate the slices of a plane.

        Args:
            array: (c, s, h, w) float32 in [-1, 1], slices in their order.
            channels: of the result.
            tick: called with (steps done, steps) of the current slice before every step; may raise ``Cancelled``.
            finished: called with how many slices have become ready.

        Returns:
            (channels, s, h, w) float32 in [-1, 1].
        """


def run_smaller_on_memory_error(runner: Runner, batch: np.ndarray) -> tuple[np.ndarray, int]:
    """Run a batch, halving it as long as memory is short.

    Args:
        runner: what runs it.
        batch: (n, channels, h, w) float32.

    Returns:
        (result, size of the parts that fitted).

    Raises:
        OutOfMemoryError: if not even a single slice fits.
    """
    size = len(batch)
    while True:
        try:
            parts = [runner.run(batch[start : start + size]) for start in range(0, len(batch), size)]
            return np.concatenate(parts), size
        except MemoryError:
            if size == 1:
                h, w = batch.shape[-2:]
                advice = "" if runner.device == "cpu" else "; use the device cpu"
                raise OutOfMemoryError(
                    f"The device {runner.device} has too little memory for a single slice of {h}x{w}{advice}."
                ) from None
            size = (size + 1) // 2
