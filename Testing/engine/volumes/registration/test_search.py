"""The levels that registration compares lie exactly where the volume does, and a volume is found where it was moved."""

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.volumes.registration import register_rigid
from surgical_style_engine.volumes.registration.search import pyramid
from surgical_style_engine.volumes.volume import Volume


def middle_of_mass(image):
    """Mm LPS."""
    values = sitk.GetArrayFromImage(image).astype(np.float64)
    index = [
        float(values.sum(axis=axes) @ np.arange(values.shape[2 - k])) / values.sum()
        for k, axes in enumerate(((0, 1), (0, 2), (1, 2)))
    ]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(index))


@pytest.mark.parametrize("size", [(64, 64, 64), (65, 63, 61), (66, 65, 50)])
def test_every_level_lies_where_the_image_does(size):
    """At 1 mm and an even size, ITK's Shrink is half a voxel aside on every level."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in size[::-1]), indexing="ij")
    distance = (x - size[0] / 2 - 1.3) ** 2 + (y - size[1] / 2 + 2.2) ** 2 + (z - size[2] / 2 - 0.7) ** 2
    image = sitk.GetImageFromArray(np.exp(-distance / 50).astype(np.float32))
    oblique = sitk.Euler3DTransform()
    oblique.SetRotation(0.3, -0.5, 0.7)
    image.SetDirection(oblique.GetMatrix())
    image.SetOrigin((10.0, -20.0, 5.0))
    levels = pyramid(image)
    assert [level.GetSpacing()[0] for level in levels] == [6, 3, 2]
    for level in levels:
        assert np.linalg.norm(middle_of_mass(level) - middle_of_mass(image)) < 0.01


def test_grids_that_differ_in_parity_do_not_lead_aside():
    """Of one motion, between 1 mm voxels and 3 mm slices: an error that both grids share would not be seen."""
    noise = sitk.GetImageFromArray(np.random.default_rng(3).normal(size=(48, 64, 64)).astype(np.float32))
    tissue = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, 4.0))
    z, y, x = np.meshgrid(*(np.arange(n) - n / 2 for n in tissue.shape), indexing="ij")
    inside = (z / 19) ** 2 + (y / 26) ** 2 + (x / 24) ** 2 <= 1
    values = np.where(inside, 300 + 100 * tissue / tissue[inside].std(), 0).astype(np.float32)
    fixed = Volume(values[None], (1.0, 1.0, 1.0))
    frame = sitk.Image((63, 63, 17), sitk.sitkFloat32)
    frame.SetSpacing((1.0, 1.0, 3.0))
    frame.SetOrigin((2.0, 1.0, -2.0))
    motion = sitk.TranslationTransform(3, (-1.4, 0.7, -0.9))
    thick = sitk.RecursiveGaussian(fixed.to_sitk(), 1.2, direction=2)
    moving = Volume.from_sitk(sitk.Resample(thick, frame, motion, sitk.sitkLinear, 0.0))
    found = register_rigid(fixed, moving).transform
    for place in ((32.0, 32.0, 24.0), (32.0, 12.0, 24.0), (32.0, 32.0, 38.0)):
        assert np.linalg.norm(np.subtract(motion.TransformPoint(found.TransformPoint(place)), place)) < 0.3
