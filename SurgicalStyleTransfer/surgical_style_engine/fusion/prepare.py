"""What every fusion begins with: the body, the other volumes on the reference's grid, and progress over all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.file_warnings import file_warnings
from surgical_style_engine.volumes.resampling import labels_like
from surgical_style_engine.volumes.volume import Volume

from .align import Aligned, align

REGISTRATION_STEPS = 10  # a volume
METHOD_STEPS = 10


class Steps:
    """Progress over a fusion, and cancelling between two steps."""

    def __init__(
        self,
        count: int,
        progress: Callable[[int, int], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        """Count the steps.

        Args:
            count: Of volumes.
            progress: Called with (steps done, steps in all).
            cancelled: Asked between two steps, and right now.

        Raises:
            Cancelled: When cancelled already.
        """
        self.done, self.total = 0, REGISTRATION_STEPS * (count - 1) + METHOD_STEPS
        self.cancelled = cancelled
        self._progress = progress
        self.go(0)

    def go(self, done: int) -> None:
        """Say that so many steps are done. Raises Cancelled."""
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("The fusion was cancelled.")
        if self._progress is not None and done > self.done:
            self._progress(done, self.total)
        self.done = done

    def part_of_method(self) -> Callable[[float], None]:
        """A callback for the part, 0 to 1, of the method's steps that is done from here on."""
        before = self.done
        return lambda part: self.go(before + int(METHOD_STEPS * part))


def body_of(mask: np.ndarray | Volume | None, reference: Volume) -> np.ndarray:
    """Where registration looks and quality is measured.

    Args:
        mask: bool (z, y, x) or (1, z, y, x) on the reference's grid, or a labelmap on any; None for the body mask.
        reference: The volume whose grid the result has.

    Returns:
        bool (z, y, x), true somewhere.

    Raises:
        InputError: For a mask that is empty or of another shape.
    """
    if mask is None:
        return body_mask(reference)
    labels = labels_like(mask, reference).array[0] != 0 if isinstance(mask, Volume) else mask
    array = np.asarray(labels).astype(bool)
    array = array[0] if array.ndim == 4 else array
    if array.shape != reference.array.shape[1:]:
        raise InputError(f"The mask has shape {array.shape}, the reference {reference.array.shape[1:]}.")
    if not array.any():
        raise InputError("The mask is empty.")
    return array


def align_all(
    volumes: Sequence[Volume], names: Sequence[str], body: np.ndarray, register: str, steps: Steps
) -> list[Aligned]:
    """All volumes but the first on the grid of the first; arguments and errors as of ``align``."""
    aligned: list[Aligned] = []
    for volume, name in zip(volumes[1:], names[1:], strict=True):
        aligned.append(align(volume, volumes[0], body, register, name=name, cancelled=steps.cancelled))
        steps.go(REGISTRATION_STEPS * len(aligned))
    return aligned


def first_warnings(
    volumes: Sequence[Volume], mask: np.ndarray | Volume | None, aligned: Sequence[Aligned]
) -> list[str]:
    """Sentences about the files and the alignment."""
    warnings = file_warnings(*volumes, mask if isinstance(mask, Volume) else None)
    return warnings + [sentence for entry in aligned for sentence in entry.warnings]
