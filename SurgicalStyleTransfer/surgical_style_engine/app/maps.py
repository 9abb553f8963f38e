"""What a run keeps for its assessment page beside its output: volumes that the report names under ``maps``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.metrics.cycle import CycleMetrics
from surgical_style_engine.volumes.volume import Volume

from .trust.error_bound import ErrorBound

KINDS = ("cycle_error", "disagreement", "synthetic", "reference", "error_bound")
NOT_JUDGED = -1.0  # in a stored cycle error, where no cycle was run: formats for volumes hold no NaN


def check_maps_folder(folder: Path | None, names: list[str], future: Path | None = None) -> None:
    """Raise InputError unless the maps of volumes with these names can go into the folder; it need not exist yet.

    future: a folder that the run will make itself.
    """
    if folder is None:
        return
    if folder.exists() and not folder.is_dir():
        raise InputError(f"The folder of maps {folder} is a file.")
    parent = folder.absolute().parent
    if not parent.is_dir() and (future is None or parent != future.absolute()):
        raise InputError(f"The folder {parent} does not exist.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"Two inputs are called {twice[0]}; their maps would overwrite each other.")


def map_files(folder: Path | None, name: str) -> list[Path]:
    """All files that `save_maps` may write for a volume of that name; none without a folder."""
    return [] if folder is None else [folder / f"{name}_{kind}.nii.gz" for kind in KINDS]


def save_maps(
    folder: Path,
    name: str,
    volume: Volume,
    cycle: CycleMetrics | None,
    notes: dict[str, str],
    translation: Volume | None = None,
    reference: Volume | None = None,
    disagreement: Volume | None = None,
) -> dict[str, Path]:
    """Write what there is into the folder, which is made if need be; returns the paths by name.

    cycle_error: |F(G(x)) - x| in normalised units (0 to 2), NOT_JUDGED where it was not looked at. translation,
    reference: on the grid of ``volume``, in their own units. disagreement: standard deviation over planes and variants,
    normalised units.  notes: header fields of what is synthetic.
    Raises StyleTransferError.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StyleTransferError(f"The folder of maps {folder} cannot be made: {error.strerror or error}.") from None
    kept: dict[str, Path] = {}
    if cycle is not None:
        errors = cycle.error.mean(axis=0, keepdims=True)
        errors = np.where(np.isfinite(errors), errors, np.float32(NOT_JUDGED)).astype(np.float32)
        kept["cycle_error"] = folder / f"{name}_cycle_error.nii.gz"
        write_volume(volume.with_array(errors), kept["cycle_error"])
    if disagreement is not None:
        kept["disagreement"] = folder / f"{name}_disagreement.nii.gz"
        write_volume(disagreement, kept["disagreement"])
    if translation is not None:
        kept["translation"] = folder / f"{name}_synthetic.nii.gz"
        write_volume(translation, kept["translation"], notes)
    if reference is not None:
        kept["reference"] = folder / f"{name}_reference.nii.gz"
        write_volume(reference, kept["reference"])
    return kept


def save_bound(folder: Path, name: str, bound: ErrorBound | None, notes: dict[str, str]) -> dict[str, Path]:
    """Write the error bound into the folder of maps; returns its path by name, nothing without a bound."""
    if bound is None:
        return {}
    path = folder / f"{name}_error_bound.nii.gz"
    write_error_map(path, bound, notes)
    return {"error_bound": path}


def write_error_map(path: Path, bound: ErrorBound, notes: dict[str, str]) -> None:
    """Write the error bound into a file.

    Args:
        path: The file.
        bound: In the target's units.
        notes: Header fields of the translation.

    Raises:
        StyleTransferError: It cannot be written.
    """
    write_volume(bound.volume, path, {**notes, **bound.note()})
