"""How values in units are stored as the 16-bit whole numbers of a DICOM file."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_LEAST_STEPS = 255  # between darkest and brightest voxel for whole numbers to be fine enough where units are arbitrary


@dataclass(frozen=True)
class Scale:
    """Stored whole numbers * slope + intercept = values in units. Both are exact as the text that a header holds."""

    slope: float = 1.0
    intercept: float = 0.0
    signed: bool = False

    @property
    def is_identity(self) -> bool:
        """Whether values are stored as they are."""
        return self.slope == 1 and self.intercept == 0

    def stored(self, array: np.ndarray) -> np.ndarray:
        """Store values in units as int16 or uint16, rounded; same shape."""
        whole = np.rint((np.asarray(array, np.float64) - self.intercept) / self.slope)
        return whole.astype("<i2" if self.signed else "<u2")


def choose_scale(low: float, high: float, is_hu: bool = False) -> Scale:
    """Choose how values are stored in 16 bits.

    As they are (rounded to whole numbers) wherever they fit and that is fine enough, always in HU; otherwise in the
    smallest step of 1, 2 or 5 times a power of ten that the range fits.

    Args:
        low: The lowest value, in units.
        high: The highest value, in units.
        is_hu: Whether the units are HU.

    Example:
        >>> choose_scale(-1000, 2000, is_hu=True)
        Scale(slope=1.0, intercept=0.0, signed=True)
        >>> choose_scale(0.0, 1.0).slope
        2e-05
    """
    if (is_hu or high - low >= _LEAST_STEPS) and -32768 <= low and high <= (32767 if low < 0 else 65535):
        return Scale(signed=low < 0)
    slope = _round_step((high - low) / 65000 or max(abs(low) * 1e-4, 1e-4))
    intercept = 0.0 if 0 <= low and high / slope <= 65000 else float(decimal_string(math.floor(low / slope) * slope))
    return Scale(slope, intercept)


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below ``least``."""
    power = math.floor(math.log10(least))
    for exponent in (power, power + 1):
        for digit in (1, 2, 5):
            step = float(f"{digit}e{exponent}")
            if step >= least:
                return step
    raise AssertionError("a step of ten times the power is always larger")


def decimal_string(value: float) -> str:
    """A number in the 16 characters of DICOM's decimal strings."""
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(float(value))
