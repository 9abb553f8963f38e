"""What is at hand after a translation and goes with its error: local structure, place in the body, asymmetry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

NEAR, WIDE, WIDEST = 2, 4, 10  # pixels of the model's to each side: of texture, of tissue, of a region
DEEP = 25  # the same, of where the depth in the body is told
AIR = np.float32(-1)

QUICK_FEATURES = (
    "input",
    "output",
    "input_mean",
    "output_mean",
    "input_deviation",
    "output_deviation",
    "body_share",
    "input_asymmetry",
    "output_asymmetry",
    "input_tissue",
    "output_tissue",
    "input_region",
    "input_region_asymmetry",
    "output_region_asymmetry",
    "depth",
)
FULL_FEATURES = (*QUICK_FEATURES, "disagreement")
OUTPUT_MEAN = FULL_FEATURES.index("output_mean")
ASYMMETRIES = (FULL_FEATURES.index("input_region_asymmetry"), FULL_FEATURES.index("output_region_asymmetry"))


@dataclass(frozen=True, eq=False)
class SliceFeatures:
    """The features of a slice's body.

    Attributes:
        index: of the slice.
        inside: bool (h, w), the body.
        values: float32 (n, features), a row a voxel of the body.
    """

    index: int
    inside: np.ndarray
    values: np.ndarray


def slice_features(
    source: np.ndarray,
    output: np.ndarray,
    body: np.ndarray,
    disagreement: np.ndarray | None = None,
    chosen: np.ndarray | None = None,
) -> Iterator[SliceFeatures]:
    """The features of every slice that holds a body.

    Args:
        source: The input, (s, h, w) in [-1, 1], the model's pixels; left and right along the width.
        output: Its translation, the same.
        body: Bool (s, h, w).
        disagreement: Standard deviation over turned variants, (s, h, w); adds the feature of that name.
        chosen: Numbers of the slices to look at; all if None.

    Yields:
        The features, in the order of `QUICK_FEATURES` or `FULL_FEATURES`.
    """
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    if not len(columns):
        return
    width = body.shape[2]
    mirrored = np.clip(columns[0] + columns[-1] - np.arange(width), 0, width - 1)
    for index in range(len(body)) if chosen is None else chosen:
        inside = body[index]
        if not inside.any():
            continue
        x, y = source[index], output[index]
        mean_x, mean_y = box(x, NEAR), box(y, NEAR)
        in_air_x, in_air_y = np.where(inside, x, AIR), np.where(inside, y, AIR)
        tissue_x, tissue_y = box(in_air_x, WIDE), box(in_air_y, WIDE)
        region_x, region_y = box(in_air_x, WIDEST), box(in_air_y, WIDEST)
        maps = [
            x,
            y,
            mean_x,
            mean_y,
            _deviation(x, mean_x),
            _deviation(y, mean_y),
            box(inside.astype(np.float32), WIDEST),
            tissue_x - tissue_x[:, mirrored],
            tissue_y - tissue_y[:, mirrored],
            tissue_x,
            tissue_y,
            region_x,
            region_x - region_x[:, mirrored],
            region_y - region_y[:, mirrored],
            box(inside.astype(np.float32), DEEP),
        ]
        if disagreement is not None:
            maps.append(box(disagreement[index], 1))
        yield SliceFeatures(int(index), inside, np.stack([each[inside] for each in maps], axis=1))


def box(image: np.ndarray, radius: int) -> np.ndarray:
    """Mean over squares of 2 radius + 1 pixels, the edge repeated; (h, w) float32."""
    width = 2 * radius + 1
    padded = np.pad(image, radius, mode="edge")
    return _sums(_sums(padded, width).T, width).T * np.float32(1 / width**2)


def _sums(image: np.ndarray, width: int) -> np.ndarray:
    """Sums of so many rows that follow each other, (h - width + 1, w), of sums of 1, 2, 4, ... rows."""
    count = len(image) - width + 1
    total, done, size = np.zeros((count, image.shape[1]), np.float32), 0, 1
    while True:
        if width & size:
            total += image[done : done + count]
            done += size
        if done == width:
            return total
        image, size = image[:-size] + image[size:], 2 * size


def _deviation(image: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(box(image * image, NEAR) - mean * mean, 0))
