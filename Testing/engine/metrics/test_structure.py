"""Semantic consistency: blind to contrast, not to anatomy."""

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics import dice, semantic_consistency, structure_agreement


def blurred(array, sigma):
    return np.stack(
        [
            sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(slice_), sigma))
            for slice_ in array[0]
        ]
    )[None]


@pytest.fixture(scope="module")
def anatomy():
    """Random smooth blobs cut into five 'tissues': edges everywhere, like a section of a brain."""
    noise = np.random.default_rng(5).normal(size=(1, 4, 96, 96)).astype(np.float32)
    smooth = blurred(noise, 3)
    edges = np.quantile(smooth, (0.2, 0.4, 0.6, 0.8))
    return blurred(np.array([0.1, 0.9, 0.5, 0.3, 0.7], np.float32)[np.digitize(smooth, edges)], 0.8)


def test_the_same_anatomy_scores_one_in_any_linear_contrast(anatomy):
    assert semantic_consistency(anatomy, anatomy) == 1
    assert semantic_consistency(anatomy, 700 - 30 * anatomy) == pytest.approx(1, abs=1e-3)


def test_other_contrast_of_the_same_anatomy_beats_wrong_anatomy(anatomy):
    monotone = np.sqrt(np.clip(anatomy, 0, None))
    inverted = 1 - monotone
    for contrast in (monotone, inverted):
        same = semantic_consistency(anatomy, contrast)
        assert same > 0.8
        assert same - semantic_consistency(anatomy, np.roll(contrast, 3, axis=3)) > 0.3
        assert same - semantic_consistency(anatomy, blurred(contrast, 2.5)) > 0.2


def test_it_falls_steadily_with_misalignment_and_with_blur(anatomy):
    shifted = [semantic_consistency(anatomy, np.roll(anatomy, k, axis=2)) for k in (0, 1, 2, 4)]
    soft = [semantic_consistency(anatomy, blurred(anatomy, s)) for s in (0.7, 1.5, 3.0)]
    assert shifted == sorted(shifted, reverse=True) and shifted[0] - shifted[1] > 0.1
    assert soft == sorted(soft, reverse=True) and 1 - soft[0] > 0.02


def test_unrelated_structure_scores_no_more_than_chance(anatomy):
    noise = np.random.default_rng(0).normal(size=anatomy.shape)
    assert semantic_consistency(anatomy, noise) < 0.05
    assert semantic_consistency(anatomy, np.full(anatomy.shape, 0.5)) < 0.3


def test_invented_structure_in_a_flat_region_costs(anatomy):
    flat = anatomy.copy()
    flat[:, :, 20:70, 20:70] = 0.5
    assert semantic_consistency(flat, anatomy) < semantic_consistency(flat, flat) - 0.15


def test_only_the_mask_counts_and_slices_are_told_apart(anatomy):
    spoiled = anatomy.copy()
    spoiled[:, 3] = np.random.default_rng(0).normal(size=spoiled.shape[2:])
    total, per_slice = structure_agreement(anatomy, spoiled)
    assert np.all(per_slice[:3] == 1) and per_slice[3] < 0.2 and total < 0.9
    mask = np.ones(anatomy.shape[1:], bool)
    mask[3] = False
    total, per_slice = structure_agreement(anatomy, spoiled, mask)
    assert total == 1 and np.isnan(per_slice[3])


def test_slices_along_another_axis_are_followed(anatomy):
    turned, other = np.moveaxis(anatomy, 1, 3), np.moveaxis(np.sqrt(np.clip(anatomy, 0, None)), 1, 3)
    assert semantic_consistency(turned, other, slice_axis=2) == pytest.approx(
        semantic_consistency(anatomy, np.sqrt(np.clip(anatomy, 0, None))), abs=0.02
    )


def test_labels_are_compared_by_dice(anatomy):
    first = np.zeros((4, 20, 20), int)
    second = np.zeros_like(first)
    first[:, :10], second[:, 5:15] = 1, 1
    first[:, 15:, :5] = second[:, 15:, :5] = 2
    assert dice(first, second) == {1: 0.5, 2: 1.0}
    score = semantic_consistency(anatomy, anatomy, source_labels=first, translated_labels=second)
    assert score == 0.75


def test_bad_input_is_one_sentence(anatomy):
    with pytest.raises(InputError, match="one size"):
        semantic_consistency(anatomy, anatomy[:, :2])
    with pytest.raises(InputError, match="empty"):
        semantic_consistency(anatomy, anatomy, np.zeros(anatomy.shape[1:], bool))
    with pytest.raises(InputError, match="both"):
        semantic_consistency(anatomy, anatomy, source_labels=np.ones((4, 96, 96)))


def test_real_contrasts_of_one_head_agree_less_when_one_is_moved(shared_data):
    folder = shared_data / "open-ms" / "mni"
    t1, t2 = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"patient07_{name}.nii.gz")))[None, 60:120:6]
        for name in ("T1", "T2")
    )
    mask = t1[0] > 0.2 * np.percentile(t1, 99)
    aligned = semantic_consistency(t1, t2, mask)
    moved = [semantic_consistency(t1, np.roll(t2, k, axis=3), mask) for k in (1, 2, 4, 20)]
    assert [aligned, *moved] == sorted([aligned, *moved], reverse=True)
    assert aligned > 0.25 and moved[-1] < 0.1
