"""Lesions as connected components: how large each is, and how much it stands out from what is around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from surgical_style_engine.volumes.filters import Spacing

GAP_MM, RING_MM = 1.5, 6.0  # what surrounds a lesion begins and ends at these distances from its edge
LEAST_RING = 30  # voxels; of fewer no noise can be told
MAD_TO_DEVIATION = 1.4826  # of a normal distribution
LEAST_NOISE = 0.03  # of a range of 2: smoothness beyond that makes nothing more visible


@dataclass(frozen=True, eq=False)
class Component:
    """One connected component of labels.

    Attributes:
        box: Slices (z, y, x) of the part of the volume that holds it and its surroundings.
        inside: Its voxels within the box, bool.
        ring: Its surroundings within the box, bool: GAP_MM to RING_MM from its edge, in the region, without lesions.
        diameter_mm: Of the sphere of its volume.
        voxels: How many it has.
    """

    box: tuple[slice, slice, slice]
    inside: np.ndarray
    ring: np.ndarray
    diameter_mm: float
    voxels: int


@dataclass(frozen=True)
class Contrast:
    """How a lesion stands out in one image.

    Attributes:
        difference: Median of the lesion less that of its surroundings, in normalised units (range 2).
        noise: Robust standard deviation of the surroundings (from the median absolute deviation).
    """

    difference: float
    noise: float

    @property
    def to_noise(self) -> float:
        """The contrast-to-noise ratio; negative for a lesion darker than its surroundings."""
        return self.difference / max(self.noise, LEAST_NOISE)


def connected(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the components of a mask; voxels that touch by a corner belong together.

    Args:
        labels: (z, y, x), not zero inside.

    Returns:
        (int32 (z, y, x) with 1, 2, ... from the largest down and 0 outside, how many there are).
    """
    import SimpleITK as sitk

    image = sitk.GetImageFromArray((np.asarray(labels) != 0).astype(np.uint8))
    numbered = sitk.RelabelComponent(sitk.ConnectedComponent(image, True), sortByObjectSize=True)
    array = sitk.GetArrayFromImage(numbered).astype(np.int32)
    return array, int(array.max(initial=0))


def sphere_diameter(volume_mm3: float) -> float:
    """Diameter in mm of the sphere of a volume.

    >>> round(sphere_diameter(523.6), 2)
    10.0
    """
    return float((6 * volume_mm3 / np.pi) ** (1 / 3))


def components(labels: np.ndarray, spacing: Spacing, region: np.ndarray, least_mm: float = 0.0) -> Iterator[Component]:
    """Every component of a labelmap with its surroundings, from the largest down.

    Args:
        labels: (z, y, x), not zero inside lesions.
        spacing: Millimetres along z, y, x.
        region: Bool (z, y, x): where surroundings may lie, such as the brain.
        least_mm: Components of a smaller diameter are left out.
    """
    numbered, count = connected(labels)
    free = np.asarray(region, bool) & (numbered == 0)
    for number, box in enumerate(_boxes(numbered, count, spacing), start=1):
        inside = numbered[box] == number
        voxels = int(inside.sum())
        diameter = sphere_diameter(voxels * float(np.prod(spacing)))
        if diameter < least_mm:
            break
        away = distance_mm(inside, spacing)
        ring = (away > GAP_MM) & (away <= RING_MM) & free[box]
        yield Component(box, inside, ring, diameter, voxels)


def distance_mm(inside: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Distance of every voxel from a mask, 0 within it; (z, y, x) in mm, spacings along z, y, x."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.asarray(inside).astype(np.uint8))
    image.SetSpacing([float(mm) for mm in spacing[::-1]])
    away = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return np.maximum(sitk.GetArrayFromImage(away), 0)


def contrast_of(image: np.ndarray, component: Component) -> Contrast | None:
    """How a component stands out.

    Args:
        image: (z, y, x), normalised to [-1, 1].
        component: On its grid.

    Returns:
        None where its surroundings are too few voxels to tell.
    """
    if int(component.ring.sum()) < LEAST_RING:
        return None
    part = np.asarray(image[component.box], np.float64)
    return contrast_between(part[component.inside], part[component.ring])


def contrast_between(inside: np.ndarray, around: np.ndarray) -> Contrast:
    """The contrast between the values (n,) of a lesion and those (m,) around it, of any units."""
    level = float(np.median(around))
    noise = MAD_TO_DEVIATION * float(np.median(np.abs(around - level)))
    return Contrast(float(np.median(inside)) - level, noise)


def depth_mm(region: np.ndarray, spacing: Spacing) -> np.ndarray:
    """How deep each voxel of a region (z, y, x) lies, in mm, 0 outside; the volume's end is surface, too."""
    return distance_mm(~np.pad(np.asarray(region, bool), 1), spacing)[1:-1, 1:-1, 1:-1]


def _boxes(numbered: np.ndarray, count: int, spacing: Spacing) -> Iterator[tuple[slice, slice, slice]]:
    """The part of the volume that holds each component and RING_MM around it."""
    lowest = np.full((count + 1, 3), np.iinfo(np.int64).max)
    highest = np.full((count + 1, 3), -1)
    places = np.argwhere(numbered)
    numbers = numbered[tuple(places.T)]
    np.minimum.at(lowest, numbers, places)
    np.maximum.at(highest, numbers, places)
    margin = [int(np.ceil(RING_MM / mm)) + 1 for mm in spacing]
    for number in range(1, count + 1):
        z, y, x = (
            slice(max(0, int(low) - more), min(size, int(high) + more + 1))
            for low, high, more, size in zip(lowest[number], highest[number], margin, numbered.shape, strict=True)
        )
        yield z, y, x
