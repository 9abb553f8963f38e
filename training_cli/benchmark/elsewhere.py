"""A way to be measured in a process of its own, so that nothing this one has changed for itself helps or hinders it."""

from __future__ import annotations

import multiprocessing
import os
import pickle  # nosec B403  # between this process and its own child
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch

_function: Callable[[], Any] | None = None


class Elsewhere:
    """Calls a function in a process that is started once: ``way()`` waits for it and gives nothing back.

    Use as a context, at whose end the process ends.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        """Start the process.

        Args:
            function: Without arguments, and one that can be pickled; it keeps its state from call to call.
        """
        self._pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), _begin, (pickle.dumps(function), torch.get_num_threads())
        )

    def __call__(self) -> None:
        """Call the function there and wait for it."""
        self._pool.submit(_call).result()

    def __enter__(self) -> Elsewhere:
        return self

    def __exit__(self, *what: object) -> None:
        self._pool.shutdown()


def _begin(function: bytes, threads: int) -> None:
    global _function
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    _function = pickle.loads(function)  # nosec B301  # of the parent process, which started this one


def _end_with_parent() -> None:
    """A parent that is killed cannot say that nothing more will come."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _call() -> None:
    assert _function is not None  # the process began with it
    _function()
