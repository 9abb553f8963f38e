"""The way to a cluster: processes of this machine, or a scheduler that is there already."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dask
from distributed import Client, LocalCluster

from surgical_style_engine.errors import InputError, StyleTransferError

CONNECT_SECONDS = 15
_LOGGERS = ("distributed", "distributed.nanny", "distributed.worker", "distributed.core", "distributed.client")
# By default event loops wake fifty times a second, a profiler a hundred times, and memory is looked at ten times by two
# processes; each stops a computing thread.
_CALM = {
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.worker.profile.enabled": False,
}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class ClusterOptions:
    """Who works on a cohort.

    Attributes:
        workers: Processes to start on this machine; None to use those of the scheduler.
        scheduler: Address of a scheduler, or the file that it has written its address into.
        memory: Most memory of a process that is started here, such as "8GB"; a share of the machine's if None.
    """

    workers: int | None = None
    scheduler: str | None = None
    memory: str | None = None


@contextlib.contextmanager
def connected(options: ClusterOptions) -> Iterator[Client]:
    """A connection to the workers; processes that were started for it end with it.

    Args:
        options: Who works.

    Raises:
        InputError: For an address or a size that cannot be one.
        StyleTransferError: Where the scheduler cannot be reached.
    """
    for name in _LOGGERS:  # what happens is told in sentences of our own
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        if options.scheduler is not None:
            client = stack.enter_context(_reached(options.scheduler))
        else:
            client = stack.enter_context(_started(options.workers or 1, options.memory))
        yield client


@contextlib.contextmanager
def _started(workers: int, memory: str | None) -> Iterator[Client]:
    # All libraries alike: threads that wait for each other by turning in circles cost more than they compute.
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, len(_processors()) // workers))
    environment = dict.fromkeys(_THREADS, threads)
    environment |= {f"DASK_{name.upper().replace('.', '__')}": str(value) for name, value in _CALM.items()}
    limit: str | float = memory if memory is not None else 1 / workers
    with dask.config.set({"distributed.nanny.pre-spawn-environ": environment, **_CALM}):
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=2,  # one computes, beside the other's reading and writing: see ``worker``
                processes=True,
                memory_limit=limit,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
        except ValueError as error:
            raise InputError(f"--worker-memory is a size such as 8GB, not '{memory}' ({error}).") from None
    with cluster, Client(cluster) as client:
        yield client


@contextlib.contextmanager
def _reached(address: str) -> Iterator[Client]:
    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = Client(**where, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError):
        raise StyleTransferError(
            f"The scheduler {address} cannot be reached within {CONNECT_SECONDS} s; is it running, and is that its "
            "address?"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"--scheduler is an address such as tcp://host:8786, not '{address}' ({error}).") from None
    with client:
        yield client


def _processors() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))
