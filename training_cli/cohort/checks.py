"""What can be said of a command's arguments before anything is read or computed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from surgical_style_engine.errors import InputError
from training_cli.terminal import echo

PLANES = ("axial", "coronal", "sagittal")


def check_exist(*paths: Path | None) -> None:
    """Raise InputError for a file or folder that is not there; None entries are left out."""
    for path in paths:
        if path is not None and not path.exists():
            raise InputError(f"{path} does not exist.")


def check_folders_of(*outputs: Path | None) -> None:
    """Raise InputError for an output whose folder is not there."""
    for path in outputs:
        if path is not None and not path.absolute().parent.is_dir():
            raise InputError(f"The folder {path.absolute().parent} does not exist.")


def check_direction(direction: str) -> None:
    """Raise InputError unless it is a direction, or may be a route of a model for many domains."""
    if direction not in ("forward", "backward") and ">" not in direction:
        hint = "sst translate --to names the contrast instead"
        raise InputError(f"--direction is forward or backward, not '{direction}' ({hint}).")


def check_plane(plane: str | None) -> None:
    """Raise InputError unless it is a plane, all, or None."""
    if plane not in (None, "all", *PLANES):
        raise InputError(f"--plane is {', '.join(PLANES)} or all, not '{plane}'.")


def planes_of(plane: str | None) -> list[str] | None:
    """The planes that --plane names; None for the model's own."""
    return list(PLANES) if plane == "all" else [plane] if plane else None


def numbers_of(text: str, option: str) -> list[float]:
    """The numbers of an option, with commas between them. Raises InputError."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option} takes numbers with commas between them, not '{text}'.") from None


def told(sentences: Iterable[str]) -> None:
    """Print sentences on stderr."""
    for sentence in sentences:
        echo(sentence, err=True)


def told_warnings(warnings: Iterable[str]) -> None:
    """Print warnings on stderr."""
    told(f"Warning: {sentence}" for sentence in warnings)
