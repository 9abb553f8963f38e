"""Batches through a network on a GPU while the processor prepares the next one and puts the last one back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

EAGER_RUNS = 2  # of a shape, before its kernels are recorded
TOLERANCE = 2e-2  # normalised units, range 2: far above what another choice of kernels rounds differently


class GpuPipeline:
    """Two batches under way: one is computed while the other is copied to or from the GPU or waits to be fetched.

    Batches go through pinned memory, on streams of their own for each way, in two slots that take turns. From the third
    batch of a shape on the network's kernels are replayed as a CUDA graph, which spares launching them one by one; its
    first result is compared with the kernels' own, and where anything is amiss there is no graph. On other devices, for
    tests, everything happens at once.

    network: takes and gives (n, c, h, w) on ``device``. cast: the context that the network runs in.
    """

    def __init__(
        self,
        network: Callable[[torch.Tensor], torch.Tensor],
        device: torch.device,
        cast: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
    ) -> None:
        self._network, self._device, self._cast = network, device, cast
        self._cuda = device.type == "cuda"
        self._graphs = self._cuda
        self._streams = [torch.cuda.Stream(device) for _ in range(3)] if self._cuda else [None] * 3
        self._pool: Any = None
        self._slots: list[_Slot] = []
        self._shape: tuple[int, ...] = ()
        self._turn = 0

    def start(self, batch: np.ndarray) -> Callable[[], np.ndarray]:
        """(n, c, h, w) float32 -> what gives the result, float32; to be called before the next but one is started.

        Raises what torch raises, when memory runs out for instance.
        """
        if self._shape != batch.shape:
            self.clear()
            self._slots = [_Slot(batch.shape, self._device) for _ in range(2)]
            self._shape = batch.shape
        slot = self._slots[self._turn]
        self._turn = 1 - self._turn
        up, compute, down = self._streams
        slot.wait()  # a result that nobody fetched
        slot.host_in.copy_(torch.from_numpy(np.ascontiguousarray(batch)))
        with torch.inference_mode():
            with _on(up):
                slot.images.copy_(slot.host_in, non_blocking=True)
            _after(compute, up)
            with _on(compute):
                self._compute(slot)
            _after(down, compute)
            with _on(down):
                slot.host_out.copy_(slot.result, non_blocking=True)
                slot.mark(down)

        def fetch() -> np.ndarray:
            slot.wait()
            return slot.host_out.numpy().copy()

        return fetch

    def clear(self) -> None:
        """Give the memory of slots and graphs back."""
        for slot in self._slots:
            slot.wait()
        self._slots, self._shape, self._turn, self._pool = [], (), 0, None

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        with self._cast():
            return self._network(images).float()

    def _compute(self, slot: _Slot) -> None:
        if slot.graph is None and self._graphs and slot.runs >= EAGER_RUNS:
            self._record(slot)
        slot.runs += 1
        if slot.graph is not None:
            slot.graph.replay()
            made = slot.recorded
        else:
            made = self._forward(slot.images)
        if slot.result is None:
            slot.result = torch.empty_like(made)
            slot.host_out = torch.empty(made.shape, dtype=torch.float32, pin_memory=self._cuda)
        # The graphs share memory: the next replay may write over this one's result while it is copied away.
        slot.result.copy_(made)

    def _record(self, slot: _Slot) -> None:
        """Record the kernels for a slot's memory. Without success, everything stays as it was."""
        wanted = self._forward(slot.images)
        try:
            graph = torch.cuda.CUDAGraph()
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            with torch.cuda.graph(graph, pool=self._pool, stream=self._streams[1]):
                result = self._forward(slot.images)
            graph.replay()
            if not torch.allclose(result, wanted, atol=TOLERANCE, rtol=0):
                raise RuntimeError("The recorded kernels compute something else.")
        except RuntimeError:
            self._graphs = False
            torch.cuda.synchronize(self._device)
            return
        slot.graph, slot.recorded = graph, result


class _Slot:
    """The memory of one batch (n, c, h, w), on both sides."""

    def __init__(self, shape: tuple[int, ...], device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        self.host_in = torch.empty(shape, dtype=torch.float32, pin_memory=self.cuda)
        # Nothing may be written into it here: that would happen on another stream.
        self.images = torch.empty(shape, device=device, memory_format=torch.channels_last)
        self.result: torch.Tensor | None = None
        self.host_out: Any = None
        self.graph: Any = None
        self.recorded: torch.Tensor | None = None  # where the graph leaves its result
        self.runs = 0
        self._done: Any = None

    def mark(self, stream: Any) -> None:
        if self.cuda:
            self._done = torch.cuda.Event()
            self._done.record(stream)

    def wait(self) -> None:
        if self._done is not None:
            self._done.synchronize()
            self._done = None


def _on(stream: Any) -> contextlib.AbstractContextManager:
    return contextlib.nullcontext() if stream is None else torch.cuda.stream(stream)


def _after(stream: Any, other: Any) -> None:
    """What is given to ``stream`` from now on waits for what ``other`` was given so far."""
    if stream is not None:
        stream.wait_stream(other)
