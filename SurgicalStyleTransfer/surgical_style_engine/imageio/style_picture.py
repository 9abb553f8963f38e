"""Style pictures: read, checked, and brought to the sizes and colours that the optimisation needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surgical_style_engine.common.thresholds import LARGEST_STYLE_PICTURE, SMALLEST_STYLE_PICTURE
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.normalization import RGB
from surgical_style_engine.volumes.resampling import resize_in_plane

from .formats import PICTURE_ENDINGS, ending_of
from .read import read_volume

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Gatys et al. (CVPR 2017) transfer luminance only


def read_picture(path: Path | str) -> np.ndarray:
    """Read a style picture of 8 or 16 bit; alpha is ignored.

    Args:
        path: A PNG, JPEG or TIFF file.

    Returns:
        (3, h, w) float32 in [0, 1], the longer side at most LARGEST_STYLE_PICTURE; grey pictures have three equal
        channels.

    Raises:
        InputError: For files that are no pictures, tiny or of one colour.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no style picture {path}.")
    if path.is_dir() or ending_of(path) not in PICTURE_ENDINGS:
        raise InputError(f"The style {path.name} is no picture ({', '.join(PICTURE_ENDINGS)}).")
    volume = read_volume(path)
    if volume.array.shape[1] != 1:
        raise InputError(f"The style picture {path.name} has {volume.array.shape[1]} pages; give a single picture.")
    array = volume.array[:, 0]
    if not np.isfinite(array).all():
        raise InputError(f"The style picture {path.name} holds NaN or infinite values.")
    scaled = (RGB().fit(array).forward(array) + 1) / 2
    return check_picture(reduced(np.repeat(scaled, 3, axis=0) if len(scaled) == 1 else scaled), path.name)


def check_picture(picture: np.ndarray, name: str) -> np.ndarray:
    """Return the picture (3, h, w) itself. Raises InputError for one that has no style to give."""
    height, width = picture.shape[-2:]
    if min(height, width) < SMALLEST_STYLE_PICTURE:
        needed = f"it needs {SMALLEST_STYLE_PICTURE} pixels a side"
        raise InputError(f"The style picture {name} is too small ({width} x {height}): {needed}.")
    if float(np.ptp(picture.reshape(len(picture), -1), axis=1).max()) < 1 / 255:
        raise InputError(f"The style picture {name} is of one colour: it has no style.")
    return picture


def reduced(picture: np.ndarray, longest: int = LARGEST_STYLE_PICTURE) -> np.ndarray:
    """Return the picture (3, h, w) with its longer side at most ``longest`` pixels."""
    height, width = picture.shape[-2:]
    factor = longest / max(height, width)
    if factor >= 1:
        return picture.astype(np.float32)
    # Not below the least size either, which long strips would fall to.
    size = (
        max(min(SMALLEST_STYLE_PICTURE, height), round(height * factor)),
        max(min(SMALLEST_STYLE_PICTURE, width), round(width * factor)),
    )
    return resize_in_plane(picture[:, None], size)[:, 0]


def as_bytes(picture: np.ndarray) -> np.ndarray:
    """Round values in [0, 1] to uint8 of the same shape."""
    return np.clip(np.round(picture * 255), 0, 255).astype(np.uint8)


def luminance_like(picture: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    """Bring a picture's luminance to a mean and standard deviation (Gatys et al., CVPR 2017).

    Args:
        picture: (3, h, w) in [0, 1].
        mean: Of the result, in [0, 1].
        deviation: Of the result.

    Returns:
        (3, h, w) float32 in [0, 1] of three equal channels.
    """
    grey = np.tensordot(np.asarray(LUMINANCE, np.float32), picture, axes=1)
    scaled = (grey - grey.mean()) * (deviation / max(float(grey.std()), 1e-4)) + mean
    return np.repeat(np.clip(scaled, 0, 1)[None].astype(np.float32), 3, axis=0)
