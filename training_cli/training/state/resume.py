"""Whether and from where a training goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from surgical_style_engine.errors import InputError
from training_cli.training.config import TrainingConfig
from training_cli.training.config.method_settings import CycleGANSettings

from .checkpoint import latest_checkpoint, newest_readable


def checkpoint_to_resume(
    checkpoints: Path, config: TrainingConfig, resume: bool, say: Callable[[str], None]
) -> dict[str, Any] | None:
    """The state to go on from, or None to begin.

    Args:
        checkpoints: folder of the run's checkpoints.
        config: of the training.
        resume: whether it is to go on.
        say: gets a line for the person watching.

    Raises:
        InputError: where there is a training already, or one with other settings.
    """
    latest = latest_checkpoint(checkpoints)
    if not resume:
        if latest:
            run = checkpoints.parent
            raise InputError(f"{run} already holds a training; go on with --resume, or name another folder.")
        return None
    newest = newest_readable(checkpoints, say)
    if not newest:
        say("There is no checkpoint yet; starting from the beginning.")
        return None
    path, state = newest
    _as_before(state, config, say)
    changes = changed_settings(state, config)
    if changes:
        raise InputError(f"The settings differ from those {path.name} was trained with: {changes}.")
    return state


def _as_before(state: dict[str, Any], config: TrainingConfig, say: Callable[[str], None]) -> None:
    """Go on without pseudo-pairs where a training began without: before there were any, or because none fitted."""
    before = (state.get("decisive") or {}).get("pseudo_pairs", "none")
    if config.asks_pseudo_pairs() and before == "none":
        config.section(CycleGANSettings).pseudo_pairs = "none"
        say("Without pseudo-pairs, as this training began.")


def changed_settings(state: dict[str, Any], config: TrainingConfig) -> str:
    """How the settings differ from those of a checkpoint, for a sentence; empty where they do not."""
    if state["digest"] == config.digest():
        return ""
    if not state.get("decisive"):
        return "unknown settings"
    return ", ".join(config.changed_since(state["decisive"]))
