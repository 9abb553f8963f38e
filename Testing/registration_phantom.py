"""A small head in two contrasts, and known motions of it, for tests of registration."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.volumes.volume import Volume

MM = 3.0


def contrasts(seed: int = 5, count: int = 36) -> tuple[Volume, Volume, np.ndarray]:
    """T1w-like and T2w-like (dark and bright exchanged) volume on one grid of 3 mm; bool (z, y, x), inside."""
    random = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.arange(count) - count / 2,) * 3, indexing="ij")
    inside = (z / 15) ** 2 + (y / 14) ** 2 + ((x - 1) / 12) ** 2 <= 1
    noise = sitk.GetImageFromArray(random.normal(size=inside.shape).astype(np.float32))
    tissue = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, 2.0))
    tissue = np.clip(0.5 + 0.2 * tissue / tissue[inside].std(), 0.05, 0.95)
    first, second = (np.where(inside, 100 + 800 * values, 0).astype(np.float32) for values in (tissue, 1 - tissue))
    return Volume(first[None], (MM,) * 3), Volume(second[None], (MM,) * 3), inside


def moved(volume: Volume, back: sitk.Transform) -> Volume:
    """A volume on its own grid with other contents; back: the new points -> points of the volume."""
    image = volume.to_sitk()
    array = sitk.GetArrayFromImage(sitk.Resample(image, image, back, sitk.sitkLinear, 0.0))
    return volume.with_array(array[None])


def rigid(degrees: float = 15.0, shift: tuple[float, float, float] = (6.0, -5.0, 4.0)) -> sitk.VersorRigid3DTransform:
    """A turn about an oblique axis through the phantom's middle, and a shift."""
    transform = sitk.VersorRigid3DTransform()
    transform.SetCenter((52.0, 53.0, 54.0))
    transform.SetRotation((0.5, 0.6, 0.62), float(np.radians(degrees)))
    transform.SetTranslation(shift)
    return transform


def points(inside: np.ndarray) -> np.ndarray:
    """(n, 3) mm, some places inside."""
    return np.argwhere(inside)[::101, ::-1] * MM


def errors(found: sitk.Transform, true: sitk.Transform, inside: np.ndarray) -> np.ndarray:
    """(n,) mm between where two transforms take places inside."""
    places = points(inside).tolist()
    return np.linalg.norm([np.subtract(found.TransformPoint(p), true.TransformPoint(p)) for p in places], axis=1)
