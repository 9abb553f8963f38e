"""Registration by a weighted difference: motions are found whatever the tone; what is not trusted does not count."""

import numpy as np
import pytest
import registration_phantom as phantom
import SimpleITK as sitk

from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.volumes.registration.alike.register import (
    Weighed,
    register_same_contrast,
    with_air,
)
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture(scope="module")
def head():
    return phantom.contrasts()


def weighed(volume, inside, weight=None):
    return Weighed(volume, with_air(inside.astype(np.float32) if weight is None else weight, inside, volume))


def body(volume):
    return volume.array[0] > 50


def other_tone(volume):
    """Another gain, offset and bias field, as a translation or another scanner has them."""
    ramp = np.linspace(0.8, 1.2, volume.array.shape[3])
    return volume.with_array(np.where(volume.array > 0, 30 + 0.6 * volume.array * ramp, 0).astype(np.float32))


def test_a_large_motion_is_found_whatever_the_tone(head):
    first, _, inside = head
    back = phantom.rigid(degrees=24)
    there = other_tone(phantom.moved(first, back))
    found = register_same_contrast(weighed(first, inside), weighed(there, body(there)))
    assert found.kind == "rigid" and found.displacement is None and found.correlation > 0.8
    assert phantom.errors(found.transform, back.GetInverse(), inside).max() < 0.5
    again = register_same_contrast(weighed(first, inside), weighed(there, body(there)))
    assert again.transform.GetParameters() == found.transform.GetParameters()


def test_what_is_not_trusted_does_not_count(head):
    first, _, inside = head
    back = phantom.rigid(degrees=8)
    there = phantom.moved(first, back)
    wrong = first.array.copy()
    made_up = np.zeros_like(inside)
    made_up[:, :, inside.shape[2] // 2 :] = True  # what a network has put in another place
    wrong[0][made_up] = np.roll(first.array[0], 2, axis=1)[made_up]
    fixed = first.with_array(wrong)
    sure = register_same_contrast(
        weighed(fixed, inside, np.where(made_up, 0.02, 1).astype(np.float32)), weighed(there, body(there))
    )
    misled = register_same_contrast(weighed(fixed, inside), weighed(there, body(there)))
    right = back.GetInverse()
    least, most = (phantom.errors(each.transform, right, inside).mean() for each in (sure, misled))
    assert least < 0.4 * most and least < 1.5, (least, most)


def test_an_affine_transform_stretches_only_as_scanners_do(head):
    first, _, inside = head
    back = sitk.AffineTransform(3)
    back.SetCenter((52.0, 53.0, 54.0))
    back.SetMatrix((1.06, 0, 0, 0, 0.97, 0, 0, 0, 1.0))
    there = phantom.moved(first, back)
    found = register_same_contrast(weighed(first, inside), weighed(there, body(there)), "affine")
    assert found.kind == "affine" and phantom.errors(found.transform, back.GetInverse(), inside).mean() < 0.8
    back.SetMatrix((1.3, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    there = phantom.moved(first, back)
    assert register_same_contrast(weighed(first, inside), weighed(there, body(there)), "affine").kind == "rigid"


def test_a_smooth_deformation_is_found(head):
    first, _, inside = head
    random = np.random.default_rng(2)
    parts = [sitk.GetImageFromArray(random.normal(size=inside.shape)) for _ in range(3)]
    parts = [sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(part, 6.0)) for part in parts]
    array = np.stack(parts, -1).astype(np.float64)
    array *= 6.0 / np.linalg.norm(array[inside], axis=1).max()
    field = sitk.GetImageFromArray(array, isVector=True)
    field.SetSpacing((phantom.MM,) * 3)
    back = sitk.DisplacementFieldTransform(field)
    there = other_tone(phantom.moved(first, back))
    found = register_same_contrast(weighed(first, inside), weighed(there, body(there)), "deformable")
    assert found.kind == "deformable"
    places = phantom.points(inside)
    there_and_back = [back.TransformPoint(found.transform.TransformPoint(place)) for place in places.tolist()]
    before = [back.TransformPoint(found.linear.TransformPoint(place)) for place in places.tolist()]
    after, rigid = (np.linalg.norm(np.subtract(each, places), axis=1).mean() for each in (there_and_back, before))
    assert after < 0.6 * rigid and after < 1.4


def test_bad_input_and_cancelling(head):
    first, _, inside = head
    whole = weighed(first, inside)
    with pytest.raises(InputError, match="no registration 'elastic'"):
        register_same_contrast(whole, whole, "elastic")
    with pytest.raises(InputError, match="do not overlap"):
        register_same_contrast(whole, Weighed(first, np.zeros(inside.shape, np.float32)))
    flat = Volume(np.ones_like(first.array), first.spacing)
    with pytest.raises(InputError, match="constant"):
        register_same_contrast(whole, weighed(flat, inside))
    with pytest.raises(Cancelled):
        register_same_contrast(whole, whole, cancelled=lambda: True)
