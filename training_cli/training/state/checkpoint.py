"""Checkpoints of a running training: one file each, whole or absent, that never leave the run folder."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.errors import InputError, StyleTransferError


def random_state() -> dict[str, Any]:
    """State of Python's, NumPy's and torch's random generators, loadable without unpickling code."""
    version, internal, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    state = {
        "python": [version, list(internal), gauss],
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put back what ``random_state`` gave."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def save_checkpoint(folder: Path, step: int, state: dict[str, Any], keep: int) -> Path:
    """Write ``checkpoint-<step>.pt`` under a temporary name, rename, then drop all but the ``keep`` newest.

    A full disk raises StyleTransferError; the earlier checkpoints stay as they were.
    """
    path = folder / f"checkpoint-{step:08d}.pt"
    try:
        with replacing(path, sync=True) as temporary, temporary.open("wb") as stream:
            torch.save(state, stream)
    except (OSError, RuntimeError) as error:
        # torch reports a failed write of its archive as RuntimeError, raised while it handled the system's own error.
        reason = getattr(error, "strerror", None) or getattr(error.__context__, "strerror", None) or error
        raise StyleTransferError(
            f"The checkpoint cannot be written to {folder} ({reason}); {last_good(folder)}."
        ) from None
    # What a killed process was writing goes too.
    for old in [*sorted(folder.glob("checkpoint-*.pt"))[:-keep], *folder.glob(".checkpoint-*.tmp.pt")]:
        old.unlink(missing_ok=True)
    return path


def last_good(folder: Path) -> str:
    """What a failure leaves to go on from, for its sentence."""
    last = latest_checkpoint(folder)
    return f"the last good checkpoint is {last.name}" if last else "no checkpoint had been written yet"


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest finished checkpoint of a run, or None."""
    checkpoints = sorted(folder.glob("checkpoint-*.pt"))
    return checkpoints[-1] if checkpoints else None


def newest_readable(folder: Path, say: Callable[[str], None]) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint that can be read, and its state; those that cannot get another name, which is said.

    Args:
        folder: of the checkpoints.
        say: gets a line for each that is damaged.

    Returns:
        None where there is no checkpoint.

    Raises:
        InputError: where there are some, and none can be read.
    """
    problem: InputError | None = None
    for path in sorted(folder.glob("checkpoint-*.pt"), reverse=True):
        try:
            state = load_checkpoint(path)
        except InputError as error:
            problem = problem or error
            say(f"Warning: {path.name} is damaged and is left out; an older one is looked for.")
            continue
        if problem:
            # Else it would stay the newest of the run.
            for damaged in (other for other in folder.glob("checkpoint-*.pt") if other.name > path.name):
                with contextlib.suppress(OSError):  # another process was faster
                    damaged.rename(damaged.with_name(f"{damaged.name}.damaged"))
        return path, state
    if problem:
        raise problem
    return None


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint on the CPU; never runs code stored in it."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds on damaged archives
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(f"The checkpoint {path} cannot be read: {reason}.") from None
    if not isinstance(state, dict) or not {"step", "minutes", "digest", "method", "random"} <= state.keys():
        raise InputError(f"The file {path} is no checkpoint of a training.")
    return state
