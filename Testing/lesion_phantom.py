"""A synthetic brain of three tissues in two contrasts, with lesions, and rank correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHAPE = (44, 56, 52)


@dataclass(frozen=True)
class Phantom:
    """source, real: (z, y, x) float32 in [-1, 1]; region, labels: bool; voxels of 1 mm."""

    source: np.ndarray
    real: np.ndarray
    region: np.ndarray
    labels: np.ndarray


def sphere(centre, diameter, shape=SHAPE):
    """Bool (z, y, x)."""
    grid = np.meshgrid(*(np.arange(n) - c for n, c in zip(shape, centre, strict=True)), indexing="ij")
    return sum(axis**2 for axis in grid) <= (diameter / 2) ** 2


def smooth(array, sigma):
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.asarray(array, np.float32))
    return sitk.GetArrayFromImage(sitk.DiscreteGaussian(image, sigma**2, 32, 0.01, False))


def moved(array, mm, fill=-1.0):
    """Shifted by so much along z and x together."""
    import SimpleITK as sitk

    shift = sitk.TranslationTransform(3, [mm / 2**0.5, 0.0, mm / 2**0.5])
    image = sitk.GetImageFromArray(np.asarray(array, np.float32))
    return sitk.GetArrayFromImage(sitk.Resample(image, shift, sitk.sitkBSpline, fill))


def phantom(seed=0, lesions=(((20, 26, 20), 9), ((24, 32, 33), 6)), shape=SHAPE):
    """A brain whose lesions are dark in the source and bright in the real image, as in T1w and T2w."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    region = (z / 0.9) ** 2 + (y / 0.85) ** 2 + (x / 0.85) ** 2 <= 1
    field = smooth(rng.normal(size=shape), 2.5)
    tissue = np.digitize(field, np.quantile(field[region], (0.2, 0.5)))
    labels = np.zeros(shape, bool)
    for centre, diameter in lesions:
        labels |= sphere(centre, diameter, shape)
        tissue[sphere(centre, diameter + 12, shape)] = 2
    tissue[(z > 0.55) | (z < -0.55)] = 1  # something even, too
    source = np.array((-0.6, 0.0, 0.3))[tissue] - 0.45 * labels
    real = np.array((0.6, -0.1, -0.4))[tissue] + 0.6 * labels
    source, real = (np.where(region, image + rng.normal(0, 0.04, shape), -1) for image in (source, real))
    return Phantom(*(np.clip(image, -1, 1).astype(np.float32) for image in (source, real)), region, labels & region)


def spearman(first, second):
    """Rank correlation, ties sharing their ranks."""
    ranks = [[np.mean([(o < v) + (o == v) / 2 for o in values]) for v in values] for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])
