"""A small picture of a volume: its middle axial slice, input and result side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.volume import Volume

HEIGHT = 96  # pixels


def thumbnail(volume: Volume, arrays: Sequence[np.ndarray]) -> bytes:
    """PNG of images on one grid, side by side.

    Args:
        volume: Whose grid that is.
        arrays: (c, z, y, x) each, of any range; empty ones are left out.
    """
    tiles = [_tile(volume, array) for array in arrays if array.size]
    stream = io.BytesIO()
    Image.fromarray(np.concatenate(tiles, axis=1)).save(stream, "PNG")
    return stream.getvalue()


def _tile(volume: Volume, array: np.ndarray) -> np.ndarray:
    """(HEIGHT, w, 3) uint8 of the middle slice."""
    canonical, _ = geometry.to_canonical(volume.with_array(array))
    middle = np.asarray(canonical.array[:, canonical.array.shape[1] // 2], np.float32)
    low, high = np.percentile(middle, (1, 99))
    shown = np.clip((middle - low) / max(float(high - low), 1e-6) * 255, 0, 255).astype(np.uint8)
    shown = np.repeat(shown, 3, axis=0) if len(shown) != 3 else shown
    _, height_mm, width_mm = geometry.plane_spacing(canonical.spacing, "axial")
    rows, columns = shown.shape[1:]
    width = max(1, min(4 * HEIGHT, round(HEIGHT * columns * width_mm / (rows * height_mm))))
    return np.asarray(Image.fromarray(shown.transpose(1, 2, 0)).resize((width, HEIGHT), Image.Resampling.BILINEAR))
