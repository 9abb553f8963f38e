"""Levels of an image: every voxel stays in its place, and local tone does not know gain, offset or slow bias."""

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.volumes.registration.alike.images import levels_of, shrunk


def test_every_voxel_stays_in_its_place():
    ramp = np.tile(np.arange(40, dtype=np.float32), (20, 20, 1))
    image = sitk.GetImageFromArray(ramp)
    image.SetOrigin((5.0, 0.0, 0.0))
    for grid_mm in (2.0, 3.0, 4.0):
        small = shrunk(image, grid_mm)
        place = small.TransformIndexToPhysicalPoint((4, 2, 2))[0]
        assert small.GetSpacing()[0] == grid_mm and abs(small[4, 2, 2] - (place - 5)) < 0.05


def test_local_tone_knows_no_gain_offset_or_bias():
    random = np.random.default_rng(1)
    noise = sitk.GetImageFromArray(random.normal(size=(24, 24, 24)).astype(np.float32))
    noise.SetSpacing((2.0, 2.0, 2.0))
    image = sitk.SmoothingRecursiveGaussian(noise, 3.0)
    values = sitk.GetArrayFromImage(image) / sitk.GetArrayFromImage(image).std()
    ramp = np.linspace(0.7, 1.3, 24, dtype=np.float32)
    other = sitk.GetImageFromArray((values * ramp * 40 + 300 + 100 * ramp).astype(np.float32))
    other.CopyInformation(image)
    weight = sitk.GetImageFromArray(np.ones((24, 24, 24), np.float32))
    weight.CopyInformation(image)
    one, two = (sitk.GetArrayFromImage(levels_of(each, weight, (2.0,))[0].local) for each in (image, other))
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.97
