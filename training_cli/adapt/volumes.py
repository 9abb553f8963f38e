"""A user's volumes as the files of a training, under names that say nothing of a patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from surgical_style_engine.common.cancelling import check_cancelled
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

from .request import AdaptRequest

MOST_MM, MOST_DEGREES = 3.0, 3.0  # by which a pair that is called registered may be moved by a registration
SOURCE, TARGET = "source", "target"  # folders below that of the data, as ``files.read_pairs`` expects them


def lay_pairs(request: AdaptRequest, say: Callable[[str], None]) -> tuple[AdaptRequest, list[str]]:
    """Look whether the pairs lie on each other, and lay them there where that is asked for.

    Args:
        request: checked, with pairs.
        say: gets lines for the person watching.

    Returns:
        The request with targets that were moved (their place, never their voxels), and warnings.

    Raises:
        InputError: where a pair has nothing in common.
        Cancelled: while registering.
    """
    targets, warnings = [], []
    for number, (source, target) in enumerate(zip(request.sources, request.targets, strict=True), start=1):
        say(f"Looking whether pair {number} lies on each other")
        moved, off = _laid(source, target, number, request.register)
        targets.append(moved)
        if off:
            warnings.append(
                f"Pair {number} does not seem to be registered: a rigid registration would move it by {off}."
            )
    return replace(request, targets=targets), warnings


def _laid(source: Volume, target: Volume, number: int, register: bool) -> tuple[Volume, str]:
    """The target, and by how much it is off, "" where it is not or was moved."""
    from surgical_style_engine.volumes.registration import NOTHING_COMMON, register_rigid  # noqa: PLC0415 - SimpleITK

    def cancelled() -> bool:
        check_cancelled()
        return False

    if source.channels != 1 or target.channels != 1:
        return target, ""
    result = register_rigid(source, target, cancelled=cancelled)
    if not result.found_common:
        raise InputError(f"The two volumes of pair {number} are no pair: {NOTHING_COMMON}.")
    is_off = result.translation_mm > MOST_MM or result.rotation_deg > MOST_DEGREES
    if not register:
        return target, f"{result.translation_mm:.0f} mm and {result.rotation_deg:.0f} degrees" if is_off else ""
    transform = result.transform.GetInverse()
    origin = np.array(transform.TransformPoint([float(value) for value in target.origin]))
    columns = [
        np.array(transform.TransformPoint([float(value) for value in np.add(target.origin, column)])) - origin
        for column in np.asarray(target.direction, float).T
    ]
    return replace(target, origin=tuple(origin.tolist()), direction=np.column_stack(columns)), ""


def write_volumes(request: AdaptRequest, folder: Path) -> None:
    """Write the volumes as files: source/volume-1.mha and so on; those of a pair share their name.

    Args:
        request: with volumes in their places.
        folder: that goes with the training.

    Raises:
        OSError: where they cannot be written.
    """
    import SimpleITK as sitk

    for side, volumes in ((SOURCE, request.sources), (TARGET, request.targets)):
        (folder / side).mkdir(parents=True, exist_ok=True)
        for path, volume in zip(names(folder / side, len(volumes)), volumes, strict=True):
            plain = replace(volume, metadata={}, name="", stated=None)
            try:
                sitk.WriteImage(plain.to_sitk(), str(path))
            except RuntimeError:
                raise OSError(f"{path.name} cannot be written to {folder}") from None


def names(folder: Path, count: int) -> Sequence[Path]:
    """The files of a side."""
    return [folder / f"volume-{number}.mha" for number in range(1, count + 1)]
