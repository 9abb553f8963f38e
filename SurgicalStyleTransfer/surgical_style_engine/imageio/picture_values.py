"""The values of a volume of one slice as those that a picture file can hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

from .formats import JPEG_ENDINGS, last_part


def picture_values(volume: Volume, path: Path) -> np.ndarray:
    """Bring a volume's values to 8 or 16 bit, by the rule of ``write.write_volume``.

    Args:
        volume: (c, 1, y, x), c = 1 or 3.
        path: The picture's name, which decides how many bits there are, and for messages.

    Returns:
        (c, 1, y, x) uint8 or uint16.

    Raises:
        InputError: For other numbers of channels, and for complex numbers.
    """
    array = volume.array
    if array.shape[0] not in (1, 3):
        raise InputError(f"The output {path.name} is a picture, but the volume has {array.shape[0]} channels.")
    if np.issubdtype(array.dtype, np.complexfloating):
        raise InputError(f"The output {path.name} is a picture, but the volume has complex numbers.")
    jpeg = last_part(path) in JPEG_ENDINGS
    low, high = float(array.min()), float(array.max())
    is_integral = not np.issubdtype(array.dtype, np.floating)
    if array.dtype == np.uint8 or (array.dtype == np.uint16 and not jpeg):
        return array
    if low >= 0 and high <= 255 and (is_integral or high > 1):
        return np.round(array.astype(np.float32)).astype(np.uint8)
    if low >= 0 and high <= 65535 and is_integral and not jpeg:
        return array.astype(np.uint16)
    kind, top = (np.uint8, 255.0) if jpeg else (np.uint16, 65535.0)
    if high == low:
        return np.zeros(array.shape, kind)
    return np.round((array.astype(np.float64) - low) * (top / (high - low))).astype(kind)
