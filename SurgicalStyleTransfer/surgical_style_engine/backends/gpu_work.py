"""Streams, events and recorded kernels of a GPU; and the same on the processor, where everything happens at once."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from typing_extensions import override

Forward = Callable[[], torch.Tensor]


@dataclass(frozen=True)
class Recording:
    """Kernels that can be replayed.

    Attributes:
        replay: gives them to the device.
        result: where they leave theirs. Recordings share memory: the next replay of another may write over it.
    """

    replay: Callable[[], object]
    result: torch.Tensor


class Event(Protocol):
    """A place in a stream."""

    def synchronize(self) -> None:
        """Wait until everything before it is done."""


class DeviceWork(abc.ABC):
    """How work is given to a device. A stream is what ``stream`` gives, and nothing else needs to be known of it."""

    pins_memory: bool

    @abc.abstractmethod
    def stream(self) -> Any:
        """A new queue of work, independent of others."""

    @abc.abstractmethod
    def on(self, stream: Any) -> contextlib.AbstractContextManager:
        """Work given within goes to this stream."""

    @abc.abstractmethod
    def after(self, stream: Any, other: Any) -> None:
        """What is given to ``stream`` from now on waits for what ``other`` was given so far."""

    @abc.abstractmethod
    def event(self, stream: Any) -> Event:
        """After what the stream was given so far."""

    @abc.abstractmethod
    def record(self, forward: Forward, stream: Any) -> Recording:
        """Record what a function would give to the device; nothing is computed. Raises RuntimeError."""

    @abc.abstractmethod
    def synchronize(self) -> None:
        """Wait for everything."""

    @abc.abstractmethod
    def clear(self) -> None:
        """Forget the memory that recordings share; they are not replayed any more."""


def device_work(device: torch.device) -> DeviceWork:
    """The work of a device by its kind."""
    return CudaWork(device) if device.type == "cuda" else HostWork()


class CudaWork(DeviceWork):
    """CUDA's own streams and graphs."""

    pins_memory = True

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = None

    @override
    def stream(self) -> torch.cuda.Stream:
        return torch.cuda.Stream(self._device)

    @override
    def on(self, stream: torch.cuda.Stream) -> contextlib.AbstractContextManager:
        return torch.cuda.stream(stream)

    @override
    def after(self, stream: torch.cuda.Stream, other: torch.cuda.Stream) -> None:
        stream.wait_stream(other)

    @override
    def event(self, stream: torch.cuda.Stream) -> Event:
        event = torch.cuda.Event()
        event.record(stream)
        return event

    @override
    def record(self, forward: Forward, stream: torch.cuda.Stream) -> Recording:
        graph = torch.cuda.CUDAGraph()
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        with torch.cuda.graph(graph, pool=self._pool, stream=stream):
            result = forward()
        return Recording(graph.replay, result)

    @override
    def synchronize(self) -> None:
        torch.cuda.synchronize(self._device)

    @override
    def clear(self) -> None:
        self._pool = None


class HostWork(DeviceWork):
    """The processor's: no stream has to wait, and a recording is the function itself."""

    pins_memory = False

    def __init__(self) -> None:
        self._memory: dict[torch.Size, torch.Tensor] = {}

    @override
    def stream(self) -> None:
        return None

    @override
    def on(self, stream: None) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext()

    @override
    def after(self, stream: None, other: None) -> None:
        return None

    @override
    def event(self, stream: None) -> Event:
        return _Done()

    @override
    def record(self, forward: Forward, stream: None) -> Recording:
        # Like CUDA's, recordings share memory, and hold nothing before they are replayed.
        example = forward()
        result = self._memory.setdefault(example.shape, torch.empty_like(example)).fill_(torch.nan)
        return Recording(lambda: result.copy_(forward()), result)

    @override
    def synchronize(self) -> None:
        return None

    @override
    def clear(self) -> None:
        self._memory.clear()


class _Done:
    def synchronize(self) -> None:
        return None
