"""What a worker does: make a work ready once, and attempt the tasks that it is sent.

A worker that takes two tasks at a time reads one and writes another while it computes a third. It never computes two at
once, and never has more than one volume read ahead of its turn.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from distributed import get_worker

from surgical_style_engine.common.version import __version__
from surgical_style_engine.errors import StyleTransferError
from training_cli.cohort.run.steps import Step, begin, compute, end
from training_cli.cohort.run.work import Finished, Ready, Task, Work

_ready: dict[str, Ready] = {}  # by run: at most the last one's
# One thread computes for all tasks: libraries give each thread that computes threads and memory of its own.
_network = ThreadPoolExecutor(1, thread_name_prefix="cohort-network")
_ahead = threading.Semaphore()  # of the volume that is read before its turn
_writing = threading.Lock()


@dataclass(frozen=True)
class Unready:
    """A worker that cannot do a work, and why; another one may."""

    worker: str
    sentence: str


@dataclass(frozen=True)
class Probed:
    """A worker that can, and the device, backend and precision that it chose."""

    worker: str
    choice: dict[str, str]


def probe(work: Work, run: str, version: str) -> Probed | Unready:
    """Make a work ready on this worker, choosing what is fastest here.

    Args:
        work: What is to be done.
        run: Name of the run.
        version: Of the program that asks.
    """
    outcome = _prepared(work, f"{run} probe", version)
    return outcome if isinstance(outcome, Unready) else Probed(_address(), outcome.choice())


def do_task(work: Work, task: Task, run: str, version: str) -> Finished | Unready:
    """Attempt a task, on a work that is made ready once for all tasks of a run.

    Args:
        work: What is to be done, device, backend and precision settled.
        task: One volume.
        run: Name of the run.
        version: Of the program that asks.
    """
    ready = _prepared(work, run, version)
    if isinstance(ready, Unready):
        return ready
    _ahead.acquire()
    try:
        step = begin(ready, task)
        computed = _network.submit(_compute, ready, step)
    except BaseException:
        _ahead.release()
        raise
    del step
    step = computed.result()
    del computed
    with _writing:
        return end(step, _address())


def _compute(ready: Ready, step: Step) -> Step:
    _ahead.release()  # its turn has come
    return compute(ready, step)


def _prepared(work: Work, run: str, version: str) -> Ready | Unready:
    if version != __version__:
        return Unready(_address(), f"It has version {__version__} of this program, and version {version} asks.")
    if (ready := _ready.get(run)) is not None:  # without waiting for what is just computed
        return ready
    try:
        return _network.submit(_prepare, work, run).result()
    except StyleTransferError as error:
        return Unready(_address(), str(error))
    except (ImportError, OSError, MemoryError) as error:
        return Unready(_address(), f"{type(error).__name__}: {error}")


def _prepare(work: Work, run: str) -> Ready:
    if run not in _ready:
        ready = work.prepare()
        _ready.clear()  # an earlier run's networks need their room no longer
        _ready[run] = ready
    return _ready[run]


def _address() -> str:
    return str(get_worker().address)
