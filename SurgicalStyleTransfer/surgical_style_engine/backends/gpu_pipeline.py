"""Batches through a network on a GPU while the processor prepares the next one and puts the last one back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import torch

from .gpu_work import DeviceWork, Event, Recording, device_work

EAGER_RUNS = 2  # of a shape, before its kernels are recorded
TOLERANCE = 2e-2  # normalised units, range 2: far above what another choice of kernels rounds differently


class GpuPipeline:
    """Two batches under way: one is computed while the other is copied to or from the GPU or waits to be fetched.

    Batches go through pinned memory, on streams of their own for each way, in two slots that take turns. From the third
    batch of a shape on the network's kernels are replayed as a CUDA graph, which spares launching them one by one; its
    first result is compared with the kernels' own, and where anything is amiss there is no graph. On other devices, for
    tests, the same happens in order, see ``gpu_work.HostWork``.

    Args:
        network: takes and gives (n, c, h, w) on ``device``.
        device: where it runs.
        cast: the context that the network runs in.
    """

    def __init__(
        self,
        network: Callable[[torch.Tensor], torch.Tensor],
        device: torch.device,
        cast: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
    ) -> None:
        self._network, self._device, self._cast = network, device, cast
        self._work = device_work(device)
        self._records = True
        self._up, self._compute_stream, self._down = (self._work.stream() for _ in range(3))
        self._slots: list[_Slot] = []
        self._shape: tuple[int, ...] = ()
        self._turn = 0

    def start(self, batch: np.ndarray) -> Callable[[], np.ndarray]:
        """Give a batch to the device.

        Args:
            batch: (n, c, h, w) float32.

        Returns:
            What gives the result, (n, c', h, w) float32; to be called before the next but one is started.

        Raises:
            RuntimeError: what torch raises, when memory runs out for instance.
        """
        if self._shape != batch.shape:
            self.clear()
            self._slots = [_Slot(batch.shape, self._device, self._work) for _ in range(2)]
            self._shape = batch.shape
        slot = self._slots[self._turn]
        self._turn = 1 - self._turn
        work = self._work
        slot.wait()  # a result that nobody fetched
        slot.host_in.copy_(torch.from_numpy(np.ascontiguousarray(batch)))
        with torch.inference_mode():
            with work.on(self._up):
                slot.images.copy_(slot.host_in, non_blocking=True)
            work.after(self._compute_stream, self._up)
            with work.on(self._compute_stream):
                result, host_out = self._compute(slot)
            work.after(self._down, self._compute_stream)
            with work.on(self._down):
                host_out.copy_(result, non_blocking=True)
                slot.copied_back = work.event(self._down)

        def fetch() -> np.ndarray:
            slot.wait()
            return host_out.numpy().copy()

        return fetch

    def clear(self) -> None:
        """Give the memory of slots and recordings back."""
        for slot in self._slots:
            slot.wait()
        self._slots, self._shape, self._turn = [], (), 0
        self._work.clear()

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        with self._cast():
            return self._network(images).float()

    def _compute(self, slot: _Slot) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute a slot's images. Returns where their result lies, and where it is to go on the processor's side."""
        if slot.recording is None and self._records and slot.runs >= EAGER_RUNS:
            self._record(slot)
        slot.runs += 1
        if slot.recording is not None:
            slot.recording.replay()
            output = slot.recording.result
        else:
            output = self._forward(slot.images)
        if slot.results is None:
            pinned = self._work.pins_memory
            slot.results = torch.empty_like(output), torch.empty(output.shape, dtype=torch.float32, pin_memory=pinned)
        # Recordings share memory: the next replay may write over this one's result while it is copied away.
        slot.results[0].copy_(output)
        return slot.results

    def _record(self, slot: _Slot) -> None:
        """Record the kernels for a slot's memory. Without success, everything stays as it was."""
        expected = self._forward(slot.images)
        try:
            recording = self._work.record(lambda: self._forward(slot.images), self._compute_stream)
            recording.replay()
            if not torch.allclose(recording.result, expected, atol=TOLERANCE, rtol=0):
                raise RuntimeError("The recorded kernels compute something else.")
        except RuntimeError:
            self._records = False
            self._work.synchronize()
            return
        slot.recording = recording


class _Slot:
    """The memory of one batch (n, c, h, w), on both sides."""

    def __init__(self, shape: tuple[int, ...], device: torch.device, work: DeviceWork) -> None:
        self.host_in = torch.empty(shape, dtype=torch.float32, pin_memory=work.pins_memory)
        # Nothing may be written into it here: that would happen on another stream.
        self.images = torch.empty(shape, device=device, memory_format=torch.channels_last)
        self.results: tuple[torch.Tensor, torch.Tensor] | None = None  # on the device and on the processor's side
        self.recording: Recording | None = None
        self.runs = 0
        self.copied_back: Event | None = None

    def wait(self) -> None:
        if self.copied_back is not None:
            self.copied_back.synchronize()
            self.copied_back = None
