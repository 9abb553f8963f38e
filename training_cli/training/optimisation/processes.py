"""What several training processes (torchrun, SLURM) must agree on: gradients, and when to stop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import torch
import torch.distributed as dist

from surgical_style_engine.errors import StyleTransferError


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Mean of the gradients over all processes, in one message; nothing to do for a single process.

    Done by hand, not by DistributedDataParallel: a CycleGAN step runs each network several times before one backward
    pass and freezes the discriminators in between, which the wrapper's bookkeeping does not expect.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return
    parameters = list(parameters)
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    with _all_there():
        dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for parameter, part in zip(parameters, flat.split([g.numel() for g in gradients]), strict=True):
        parameter.grad = part.view_as(parameter).clone()


def agree_largest(value: float, device: torch.device | str) -> float:
    """The largest of all processes' values: one process that wants to stop stops all of them."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return value
    tensor = torch.tensor([value], dtype=torch.float64, device="cpu" if torch.device(device).type == "mps" else device)
    with _all_there():
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
        return float(tensor.item())


class LostProcessError(StyleTransferError):
    """Another process of the training has ended, or its machine."""


@contextlib.contextmanager
def _all_there() -> Iterator[None]:
    """What the network says of a process that is gone becomes LostProcessError; too little memory stays what it is."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise LostProcessError(f"Another process of this training has ended: {str(error).splitlines()[0]}") from error
