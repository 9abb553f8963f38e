"""The figures of one translated volume: right arrays compared, on the right grid, under stable keys."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import Fake

from surgical_style_engine.backends import select as backends
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.cycle import cycle_of
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.metrics import compare_with_reference, mean_figures, quality_of, set_features
from surgical_style_engine.models.folder import Architecture, Domain, Domains, ModelCard
from surgical_style_engine.volumes.normalization import HUWindow, PercentileLandmarks, RobustPercentile
from surgical_style_engine.volumes.volume import Volume


def make_model(target=None, directions=("forward", "backward"), **fields):
    mr = Domain(
        name="T1w",
        modality="MR",
        normalization=RobustPercentile(),
        inverse=PercentileLandmarks(low=0, high=1000, maximum=2000),
    )
    card = ModelCard(
        name="fake",
        title="fake",
        architecture=Architecture(name="resnet"),
        domains=Domains(source=mr, target=target or mr),
        directions=list(directions),
        **{"spacing_mm": 1.0, **fields},
    )
    model = SimpleNamespace(card=card, folder=None, check_direction=lambda direction: None)
    return model


CT = Domain(name="CT", modality="CT", units="HU", normalization=HUWindow(), inverse=HUWindow().fit(np.zeros(2)))


@pytest.fixture
def networks(monkeypatch):
    """Both directions by functions of a batch; inversion unless a test says otherwise."""
    ways = {"forward": np.negative, "backward": np.negative}
    monkeypatch.setattr(backends, "make_runner", lambda model, way, *_: Fake(ways[way]))
    return ways


@pytest.fixture
def volume():
    """A textured ball of 40 voxels in air, oblique axes in an odd order, 0.8 x 1 x 2.5 mm."""
    z, y, x = np.meshgrid(np.arange(16) - 8, np.arange(48) - 24, np.arange(56) - 28, indexing="ij")
    rng = np.random.default_rng(0)
    texture = np.kron(rng.uniform(200, 900, (4, 12, 14)), np.ones((4, 4, 4)))
    array = np.where((z / 7) ** 2 + (y / 18) ** 2 + (x / 21) ** 2 <= 1, texture, 0).astype(np.float32)
    direction = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    return Volume(array[None], (0.8, 1.0, 2.5), (5.0, 6.0, 7.0), direction)


def test_all_keys_and_a_perfect_cycle_off_the_models_grid(networks, volume):
    model = make_model()
    figures = quality_of(volume, model, translate_volume(volume, model))
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
    figures = quality_of(volume, model, translation, max_slices=4)
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
    figures = quality_of(volume, model, translate_volume(volume, model))
    assert figures["look_ahead_score"] is None and figures["jigsaw_puzzle_error"] is None
    assert figures["slices"]["look_ahead"] is None and figures["semantic_consistency"] > 0.6


def test_a_perfect_mr_translation_beats_both_floors(networks, volume):
    model = make_model()
    body = volume.array > 0
    reference = volume.with_array(np.where(body, 3000 - 2.5 * volume.array, 0).astype(np.float32))
    translation = translate_volume(volume, model)
    landmarks = RobustPercentile().fit(reference.array)
    truth = landmarks.forward(reference.array)
    noise = np.random.default_rng(0).normal(0, 0.02, truth.shape).astype(np.float32)
    translation.normalized_output = np.clip(truth + noise, -1, 1)
    found = compare_with_reference(volume, model, translation, reference, body[0])
    assert found["compared_in"] == "normalised"
    inside = body[0]
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
    found = compare_with_reference(volume, model, translation, reference, body)
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
    limited = compare_with_reference(volume, model, translation, reference, body, valid=valid)
    everywhere = compare_with_reference(volume, model, translation, reference, body)
    assert limited["floors"]["input"]["mae"] < 1e-3 < everywhere["floors"]["input"]["mae"]
    with pytest.raises(InputError, match="cover"):
        compare_with_reference(volume, model, translation, reference, body, valid=valid & False)


def test_an_unregistered_reference_is_refused(networks, volume):
    model = make_model()
    translation = translate_volume(volume, model)
    other = Volume(volume.array, volume.spacing, (0.0, 0.0, 0.0), volume.direction)
    with pytest.raises(InputError, match="register"):
        quality_of(volume, model, translation, other, with_cycle=False)


def test_bad_masks_are_one_sentence(networks, volume):
    model = make_model()
    translation = translate_volume(volume, model)
    with pytest.raises(InputError, match="mask has shape"):
        quality_of(volume, model, translation, mask=np.ones((2, 2, 2), bool))
    with pytest.raises(InputError, match="empty"):
        quality_of(volume, model, translation, mask=np.zeros(volume.array.shape[1:], bool))


def test_a_labelmap_on_another_grid_serves_as_mask(networks, volume):
    model = make_model()
    translation = translate_volume(volume, model)
    body = (volume.array > 0).astype(np.uint8)
    finer = Volume(np.repeat(body, 2, axis=1), (0.8, 1.0, 1.25), volume.origin, volume.direction)
    by_label = quality_of(volume, model, translation, mask=finer, with_cycle=False)
    by_array = quality_of(volume, model, translation, mask=body[0] > 0, with_cycle=False)
    assert by_label["mask"] == "given"
    assert by_label["mask_fraction"] == pytest.approx(by_array["mask_fraction"], rel=0.1)


def test_means_skip_what_a_volume_lacks():
    first = {"a": 1.0, "b": {"c": 2, "name": "x"}, "list": [1], "d": None, "e": float("inf"), "flag": True}
    second = {"a": 3.0, "b": None, "list": [3], "d": None, "e": 5.0, "flag": False}
    assert mean_figures([first, second]) == {"a": 2.0, "b": {"c": 2.0}, "d": None, "e": 5.0}


def test_features_of_a_set_do_not_depend_on_the_axes_order(volume):
    from surgical_style_engine.volumes.geometry import to_canonical

    canonical, _ = to_canonical(volume)
    mask = volume.array[0] > 0
    turned = canonical.array[0] > 0
    stored = set_features(volume, volume.array, mask)
    np.testing.assert_allclose(set_features(canonical, canonical.array, turned), stored)
    assert len(stored) > 10
