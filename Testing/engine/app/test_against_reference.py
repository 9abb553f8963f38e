"""A translated volume against its reference: in units, above two floors, where the reference has voxels."""

import math

import numpy as np
import pytest
from judged_cases import CT, compare, judge, make_model

from surgical_style_engine.app.judge_case import JudgeCase, region_of
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.volumes.normalization import HUWindow, RobustPercentile
from surgical_style_engine.volumes.volume import Volume


def test_a_perfect_mr_translation_beats_both_floors(networks, volume):
    model = make_model()
    body = volume.array > 0
    reference = volume.with_array(np.where(body, 3000 - 2.5 * volume.array, 0).astype(np.float32))
    translation = translate_volume(volume, model)
    landmarks = RobustPercentile().fit(reference.array)
    truth = landmarks.forward(reference.array)
    noise = np.random.default_rng(0).normal(0, 0.02, truth.shape).astype(np.float32)
    translation.normalized_output = np.clip(truth + noise, -1, 1)
    found = compare(volume, model, translation, reference, body[0])
    assert found["compared_in"] == "normalised"
    inside = region_of(JudgeCase(volume, model, translation, labels=body[0]))
    assert 0.98 * body.sum() < inside.sum() <= body.sum()
    error = (translation.normalized_output - truth)[0][inside].astype(float)
    low, high = np.percentile(truth[0][inside], (0.5, 99.5))
    assert found["psnr"] == pytest.approx(20 * math.log10((high - low) / np.sqrt(np.mean(error**2))), abs=1e-3)
    assert found["psnr_range"] == pytest.approx([low, high])
    assert found["mae_normalised"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    in_units = np.abs(landmarks.inverse(translation.normalized_output) - reference.array)[0][inside].mean()
    assert found["mae"] == pytest.approx(in_units, rel=0.02)
    for floor in ("input", "histogram_matched"):
        assert found["psnr"] > found["floors"][floor]["psnr"] + 6
        assert found["ssim"] > found["floors"][floor]["ssim"]
    assert found["floors"]["histogram_matched"]["mae"] != found["floors"]["input"]["mae"]
    assert len(found["slices"]["psnr"]) == 16


def test_ct_is_compared_in_hounsfield_units(networks, volume):
    model = make_model(target=CT)
    reference = volume.with_array(np.where(volume.array > 0, volume.array - 400, -1000).astype(np.float32))
    translation = translate_volume(volume, model)
    translation.normalized_output = HUWindow().fit(reference.array).forward(reference.array + 30)
    body = volume.array[0] > 0
    found = compare(volume, model, translation, reference, body)
    assert found["compared_in"] == "HU"
    assert found["mae"] == pytest.approx(30, abs=0.1)
    assert found["mae_normalised"] == pytest.approx(30 / 1500, abs=1e-3)
    low, high = np.percentile(reference.array[0][body], (0.5, 99.5))
    assert found["psnr"] == pytest.approx(20 * math.log10((high - low) / 30), abs=0.02)


def test_only_where_the_reference_has_voxels(networks, volume):
    model = make_model()
    translation = translate_volume(volume, model)
    reference = volume.with_array(volume.array.copy())
    reference.array[:, :8] = 0
    valid = np.zeros(volume.array.shape[1:], bool)
    valid[8:] = True
    body = volume.array[0] > 0
    limited = compare(volume, model, translation, reference, body, valid=valid)
    everywhere = compare(volume, model, translation, reference, body)
    assert limited["floors"]["input"]["mae"] < 1e-3 < everywhere["floors"]["input"]["mae"]
    with pytest.raises(InputError, match="cover"):
        compare(volume, model, translation, reference, body, valid=valid & False)


def test_an_unregistered_reference_is_refused(networks, volume):
    model = make_model()
    translation = translate_volume(volume, model)
    other = Volume(volume.array, volume.spacing, (0.0, 0.0, 0.0), volume.direction)
    with pytest.raises(InputError, match="register"):
        judge(volume, model, translation, reference=other)
