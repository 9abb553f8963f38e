"""The default body mask: everything of the patient, none of the air."""

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.body_mask import body_mask, find_body
from surgical_style_engine.volumes.volume import Volume


def ball(shape, centre, radius):
    grid = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radius, strict=True)) <= 1


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.fixture
def head():
    """Dark skull ring between bright scalp and grey brain with black ventricles, in noise, 0.9 x 0.9 x 3 mm."""
    shape = (24, 96, 96)
    centre = (12, 48, 48)
    body = ball(shape, centre, (11, 40, 34))
    array = np.abs(np.random.default_rng(0).normal(0, 6, shape))
    array[body] = 300
    array[ball(shape, centre, (10.4, 37, 31))] = 20
    array[ball(shape, centre, (9.6, 33, 27))] = 150
    array[ball(shape, centre, (4, 10, 6))] = 5
    return array.astype(np.float32), body


def test_the_head_with_skull_and_ventricles_is_body(head):
    array, body = head
    mask = body_mask(Volume(array[None], (0.9, 0.9, 3.0)))
    assert mask.dtype == bool and mask.shape == array.shape
    assert dice(mask, body) > 0.96
    assert mask[12, 48, 48], "the ventricles are body"


def test_a_second_object_is_left_out(head):
    array, body = head
    array = array.copy()
    array[:, 0:2, 5:90] = 200  # the couch, 5 mm below
    mask = body_mask(Volume(array[None], (0.9, 0.9, 3.0)))
    assert not mask[:, :2].any()
    assert dice(mask, body) > 0.95


def test_units_do_not_matter(head):
    array, body = head
    in_hu = np.where(body, array - 100, -1000 + 0.2 * array)
    assert dice(body_mask(Volume(in_hu[None], (0.9, 0.9, 3.0))), body) > 0.96
    scaled = body_mask(Volume((array * 37 + 5)[None], (0.9, 0.9, 3.0)))
    assert dice(scaled, body_mask(Volume(array[None], (0.9, 0.9, 3.0)))) > 0.99


def test_a_few_hot_voxels_change_nothing(head):
    array, body = head
    array = array.copy()
    array[3:5, 3:9, 3:9] = 1e5
    assert dice(body_mask(Volume(array[None], (0.9, 0.9, 3.0))), body) > 0.95


def test_colour_is_all_body_and_a_plane_picture_works():
    rng = np.random.default_rng(0)
    assert body_mask(Volume(rng.uniform(size=(3, 1, 20, 30)), is_2d=True)).all()
    disc = ball((1, 80, 80), (0, 40, 40), (1, 30, 25))
    mask = body_mask(Volume((disc * 100.0)[None], is_2d=True))
    assert mask.shape == (1, 80, 80) and dice(mask, disc) > 0.95


def test_constant_is_one_sentence():
    with pytest.raises(InputError, match="constant"):
        body_mask(Volume(np.ones((1, 5, 5, 5))))


def test_real_brain_extracted_and_whole_heads(shared_data):
    import SimpleITK as sitk

    folder = shared_data / "open-ms"
    brain = Volume.from_sitk(sitk.ReadImage(str(folder / "mni" / "patient07_T1.nii.gz")))
    truth = brain.array[0] != 0  # as the brain extraction left it
    assert dice(body_mask(brain), truth) > 0.97
    head = Volume.from_sitk(sitk.ReadImage(str(folder / "longitudinal" / "patient04_study1_T1W.nii.gz")))
    mask = body_mask(head)
    assert 0.3 < mask.mean() < 0.42
    brain_mask = sitk.ReadImage(str(folder / "longitudinal" / "patient04_brainmask.nii.gz"))
    inside = sitk.Resample(brain_mask, head.to_sitk(), sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    inside = sitk.GetArrayFromImage(inside) > 0
    assert mask[inside].mean() > 0.99


def test_where_there_is_no_telling_a_style_belongs_everywhere():
    content = np.zeros((1, 20, 40, 40), np.float32)
    assert find_body(content).all() and find_body(content).shape == (20, 40, 40)
    content[0][ball((20, 40, 40), (10, 20, 20), (8, 12, 12))] = 1
    assert find_body(content)[10, 20, 20] and not find_body(content)[0, 0, 0]
