"""A translated volume is judged: in one region, on the right grid, under stable keys."""

import numpy as np
import pytest
from judged_cases import judge, make_model

from surgical_style_engine.app.judge_case import JudgeCase, judge_case, region_of
from surgical_style_engine.app.judging import Judging
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.cycle import cycle_of
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.metrics import registry
from surgical_style_engine.volumes.volume import Volume


def test_all_keys_and_a_perfect_cycle_off_the_models_grid(networks, volume):
    model = make_model()
    figures = judge(volume, model, translate_volume(volume, model), judging=Judging())
    assert set(figures) == {
        "look_ahead_score",
        "look_ahead_score_raw",
        "jigsaw_puzzle_error",
        "jigsaw_puzzle_error_raw",
        "cycle_slices",
        "semantic_consistency",
        "semantic_consistency_method",
        "mask",
        "mask_fraction",
        "reference",
        "slices",
        "worst",
        "judged",
        "cycle_judges",
        "network",
        "verdict",
    }
    assert figures["look_ahead_score_raw"] < 1e-6, "resampling must not count as an error of the cycle"
    assert 0.01 < figures["look_ahead_score"] < figures["jigsaw_puzzle_error"] < 0.05
    assert figures["semantic_consistency"] > 0.6  # inverted, and blurred by the model's grid
    assert figures["reference"] is None and figures["mask"] == "body"
    assert figures["slices"]["axis"] == "z" and len(figures["slices"]["look_ahead"]) == 16


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_the_error_map_lies_on_the_input_where_the_cycle_fails(networks, volume, plane):
    model = make_model(plane=plane)
    # The bright quarter comes back 0.4 too dark.
    networks["forward"] = np.array
    networks["backward"] = lambda batch: np.where(batch > 0.3, batch - 0.4, batch)
    translation = translate_volume(volume, model)
    figures = cycle_of(volume, model, translation, jigsaw=False)
    assert figures.error.shape == volume.array.shape and np.isfinite(figures.error).all()
    bright = translation.normalized_input > 0.5
    dark = translation.normalized_input < 0.0
    assert bright.sum() > 1000
    assert figures.error[bright].mean() > 0.25
    assert figures.error[dark].mean() < 0.08


def test_few_slices_are_judged_when_asked(networks, volume):
    model = make_model()
    translation = translate_volume(volume, model)
    figures = judge(volume, model, translation, judging=Judging(max_slices=4))
    # Axial slices of this volume run along y of its array, so a part of every z slice is judged.
    assert figures["cycle_slices"] == 4
    assert figures["look_ahead_score_raw"] < 1e-6
    cycle = cycle_of(volume, model, translation, max_slices=4, jigsaw=False)
    judged = np.isfinite(cycle.error)
    assert judged.any() and judged.mean() == pytest.approx(4 / cycle.error.shape[2], abs=0.01)


def test_a_model_with_neighbours_is_judged_on_a_block(networks, volume):
    model = make_model(stack=3, stack_spacing_mm=1.0)
    cycle = cycle_of(volume, model, translate_volume(volume, model), max_slices=5, jigsaw=False)
    judged = np.flatnonzero(np.isfinite(cycle.error).all((0, 1, 3)))
    assert len(judged) == 5 and np.all(np.diff(judged) == 1)


def test_progress_counts_the_passes(networks, volume):
    model = make_model()
    translation = translate_volume(volume, model)
    seen = []
    cycle_of(volume, model, translation, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 7) for n in range(1, 8)]
    seen.clear()
    on_grid = make_model(spacing_mm=None)
    cycle_of(volume, on_grid, translation, jigsaw=False, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)], "G(x) on the model's own grid is used again"


def test_without_a_way_back_there_are_no_cycle_figures(networks, volume):
    model = make_model(directions=["forward"])
    figures = judge(volume, model, translate_volume(volume, model), judging=Judging())
    assert figures["look_ahead_score"] is None and figures["jigsaw_puzzle_error"] is None
    assert figures["slices"]["look_ahead"] is None and figures["semantic_consistency"] > 0.6


def test_bad_masks_are_one_sentence(networks, volume):
    model = make_model()
    translation = translate_volume(volume, model)
    with pytest.raises(InputError, match="mask has shape"):
        judge(volume, model, translation, labels=np.ones((2, 2, 2), bool))
    with pytest.raises(InputError, match="empty"):
        judge(volume, model, translation, labels=np.zeros(volume.array.shape[1:], bool))


def test_a_labelmap_on_another_grid_serves_as_mask(networks, volume):
    model = make_model()
    translation = translate_volume(volume, model)
    body = (volume.array > 0).astype(np.uint8)
    finer = Volume(np.repeat(body, 2, axis=1), (0.8, 1.0, 1.25), volume.origin, volume.direction)
    by_label = judge(volume, model, translation, labels=finer)
    by_array = judge(volume, model, translation, labels=body[0] > 0)
    assert by_label["mask"] == "given"
    assert by_label["mask_fraction"] == pytest.approx(by_array["mask_fraction"], rel=0.1)


def test_the_region_is_the_labels_inside_the_body(networks, volume):
    model = make_model()
    translation = translate_volume(volume, model)
    body = region_of(JudgeCase(volume, model, translation))
    labels = np.zeros(volume.array.shape[1:], np.int16)
    labels[:, :24] = -3  # whatever the number
    case = JudgeCase(volume, model, translation, labels=labels, judging=Judging(cycle=False))
    judgement = judge_case(case)
    np.testing.assert_array_equal(judgement.region, body & (labels != 0))
    assert judgement.quality["mask_fraction"] == judgement.region.mean() and judgement.quality["mask"] == "given"
    air = np.zeros_like(labels)
    air[0, 0, :5] = 1
    np.testing.assert_array_equal(region_of(JudgeCase(volume, model, translation, labels=air)), air != 0)
    by_mask = JudgeCase(volume, model, translation, mask=volume.with_array(labels[None]))
    np.testing.assert_array_equal(region_of(by_mask), judgement.region)


def test_a_metric_from_elsewhere_is_computed_of_what_is_delivered(networks, volume):
    model = make_model()
    metric = registry.Metric("mean_change", "Change", "", compute=lambda case: abs(case.delivered - case.source).mean())
    registry.register(metric)
    try:
        values = [
            judge(volume, model, translate_volume(volume, model, strength=strength))["mean_change"]
            for strength in (0, 0.5, 1)
        ]
    finally:
        registry.unregister("mean_change")
    assert values[0] == 0 and values[1] == pytest.approx(values[2] / 2, rel=1e-5) and values[2] > 0.1


def test_segmentations_give_a_dice(networks, volume):
    model = make_model()
    labels = (volume.array[0] > 500).astype(np.uint8)
    judging = Judging(cycle=False, segmentations=(labels, labels))
    quality = judge(volume, model, translate_volume(volume, model), judging=judging)
    assert quality["semantic_consistency"] == 1 and quality["semantic_consistency_method"] == "dice"
