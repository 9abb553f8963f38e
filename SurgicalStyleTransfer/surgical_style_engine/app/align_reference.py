"""A reference image brought onto the grid of the volume it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.resampling import resample_like
from surgical_style_engine.volumes.volume import Volume, check_volume


@dataclass(frozen=True)
class Reference:
    """A real image of the same patient to compare with.

    Attributes:
        path: its file or DICOM folder.
        register: align it rigidly unless it shares the grid; False takes the scanner's coordinates.
    """

    path: Path
    register: bool = True


class AlignedReference(NamedTuple):
    """A reference on a volume's grid.

    Attributes:
        volume: the reference there, in its own units.
        valid: where it has voxels, bool (z, y, x); None for everywhere.
        how: how it was brought there, for a report.
    """

    volume: Volume
    valid: np.ndarray | None
    how: dict[str, Any]


def align_reference(volume: Volume, reference: Volume, path: Path, register: bool = True) -> AlignedReference:
    """Bring a reference onto a volume's grid.

    On the same grid it stays as it is; else it is registered rigidly, or only resampled where the scanner's
    coordinates say. Nothing is to be compared with it where ``alignment_doubt`` has something to say.

    Args:
        volume: what the reference belongs to.
        reference: an image of the same patient.
        path: the reference's file, for messages.
        register: False takes the scanner's coordinates as they are.

    Raises:
        InputError: for an unusable reference, and for pictures on other grids.
    """
    from surgical_style_engine.volumes.registration import register_rigid  # noqa: PLC0415 - SimpleITK is loaded with it

    check_volume(reference, path.name)
    if reference.same_grid(volume):
        return AlignedReference(reference, None, {"method": "same grid"})
    # Around its field of view lies background, which a single voxel below it must not define.
    background = float(np.percentile(reference.array, 0.1))
    if register and not volume.is_2d:
        result = register_rigid(volume, reference, default=background)
        return AlignedReference(result.moved, result.coverage, result.figures())
    if volume.is_2d:
        raise InputError(f"The reference {path.name} is not on its picture's grid; pictures are not registered.")
    covered = resample_like(reference.with_array(np.ones_like(reference.array, np.float32)), volume, default=0.0)
    moved = resample_like(reference, volume, default=background)
    return AlignedReference(moved, covered.array[0] > 0.99, {"method": "scanner coordinates"})


def alignment_doubt(how: dict[str, Any], path: Path) -> str:
    """Why a reference that was aligned in that way is no reference, in a sentence; empty if it is one."""
    if how.get("found_common", True):
        return ""
    from surgical_style_engine.volumes.registration import NOTHING_COMMON  # noqa: PLC0415 - SimpleITK is loaded with it

    return f"The reference {path.name} cannot be laid over the volume: {NOTHING_COMMON}; it was left out."
