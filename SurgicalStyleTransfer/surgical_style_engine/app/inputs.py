"""The volumes that a case names: given as they are, or as the file or folder to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio import volume_io
from surgical_style_engine.imageio.dicom.read import DICOM_ENDINGS
from surgical_style_engine.volumes.geometry import labels_like
from surgical_style_engine.volumes.volume import Volume

VolumeOrPath = Volume | Path


def read(source: VolumeOrPath) -> Volume:
    """The volume itself, or that of a file or DICOM folder. Raises InputError."""
    return source if isinstance(source, Volume) else volume_io.read_volume(source)


def read_optional(source: VolumeOrPath | None) -> Volume | None:
    """The same, None for None."""
    return None if source is None else read(source)


def labels_on_grid(labels: Volume | np.ndarray, volume: Volume) -> np.ndarray:
    """Where labels are not zero on a volume's grid.

    Args:
        labels: labelmap on any grid, or an array (z, y, x) or (1, z, y, x) on the volume's. NaN counts as zero: some
            programs write it outside of masks.
        volume: (c, z, y, x).

    Returns:
        bool (z, y, x), true somewhere.

    Raises:
        InputError: for an array of another shape, or without any label.
    """
    array = labels_like(labels, volume).array if isinstance(labels, Volume) else np.asarray(labels)
    inside = np.nan_to_num(array[0] if array.ndim == 4 else array) != 0
    if inside.shape != volume.array.shape[1:]:
        raise InputError(f"The mask has shape {inside.shape}, the volume {volume.array.shape[1:]}.")
    if not inside.any():
        raise InputError("The mask is empty.")
    return inside


def left_out(source: VolumeOrPath | None) -> list[str]:
    """A sentence on the images beside the DICOM series that a folder is taken for, where there are any."""
    if not isinstance(source, Path) or source.is_file():
        return []
    others = [path for path in volume_io.list_volumes(source) if volume_io.ending_of(path) not in DICOM_ENDINGS]
    return [f"Beside the DICOM series, {source.name} holds {listed(others)}, which was left out."] if others else []


def listed(paths: Sequence[Path]) -> str:
    """The names of at most three files, and how many more there are."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(path.name for path in paths[:3]) + more
