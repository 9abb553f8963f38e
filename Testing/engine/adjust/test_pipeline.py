"""Adjustments within the whole pipeline: their order, their units, and adjusting without the network."""

import numpy as np
import pytest
from tiny_models import head

from surgical_style_engine.adjust import Adjustments
from surgical_style_engine.adjust.guard import structure_guard
from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.readjust import adjust_translation, readjust
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.metrics.worst_slices import named_slices, slice_centre
from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.provenance import synthetic_notes
from surgical_style_engine.volumes.bias_field import flatten_bias
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.normalization import HUWindow, PercentileLandmarks, RobustPercentile
from surgical_style_engine.volumes.volume import Volume

MR = Domain(
    name="T1w",
    modality="MR",
    normalization=RobustPercentile(),
    inverse=PercentileLandmarks(low=10, high=900, maximum=1500),
)
T2 = MR.model_copy(update={"name": "T2w", "inverse": PercentileLandmarks(low=0, high=400, maximum=700)})
CT = Domain(name="CT", modality="CT", units="HU", normalization=HUWindow(), inverse=HUWindow().fit(np.zeros(1)))


def make_model(source=MR, target=T2, **fields) -> StyleModel:
    from pathlib import Path

    card = ModelCard(
        name="fake",
        title="fake",
        architecture=Architecture(name="resnet"),
        domains=Domains(source=source, target=target),
        directions=["forward", "backward"],
        **{"spacing_mm": None, **fields},
    )
    return StyleModel(card, Path())


class Fake(Runner):
    """A network that inverts, and draws a pattern on its own pixel grid."""

    backend = "fake"

    def __init__(self, pattern=0.0):
        self.pattern, self.runs = pattern, 0

    def run(self, batch):
        self.runs += 1
        columns = np.where(np.arange(batch.shape[-1]) % 2, self.pattern, -self.pattern).astype(np.float32)
        return np.clip(-0.5 * batch + columns, -1, 1).astype(np.float32)


@pytest.fixture(scope="module")
def brain() -> Volume:
    array = head(1, (12, 40, 36)) + np.abs(np.random.default_rng(0).normal(0, 5, (12, 40, 36)))
    direction = np.diag([-1.0, -1.0, 1.0])
    return Volume(array[None].astype(np.float32), (1.0, 1.0, 3.0), (4.0, 5.0, 6.0), direction)


def half(volume: Volume) -> Volume:
    array = np.zeros(volume.array.shape, np.uint8)
    array[..., :18] = 1
    return volume.with_array(array)


def test_adjusting_later_is_the_same_as_at_once_and_runs_nothing(brain):
    runner = Fake(0.1)
    wanted = Adjustments(structure_guard_mm=3.0, match=brain.with_array(brain.array * 2 + 50), least_consistency=0.9)
    for options in ({}, {"mask": half(brain)}):
        plain = translate_volume(brain, make_model(), runner=runner)
        at_once = translate_volume(brain, make_model(), runner=runner, adjustments=wanted, **options)
        count = runner.runs
        later = readjust(brain, make_model(), plain, adjustments=wanted, **options)
        assert runner.runs == count
        np.testing.assert_array_equal(later.volume.array, at_once.volume.array)
        assert (later.strength, later.consistency) == (at_once.strength, at_once.consistency)
        assert later.strength < 1 and later.consistency >= 0.9
        back = readjust(brain, make_model(), later)
        np.testing.assert_array_equal(back.volume.array, plain.volume.array)
        assert back.adjusted is None and back.judged is back.normalized_output
    outside = half(brain).array == 0
    np.testing.assert_array_equal(at_once.volume.array[outside], brain.array[outside])


def test_the_guard_comes_before_matching(brain):
    wanted = Adjustments(structure_guard_mm=3.0, match=brain)
    made = translate_volume(brain, make_model(), runner=Fake(0.2), adjustments=wanted)
    region = body_mask(brain)
    steps = np.linspace(0.05, 0.95, 19)
    expected = np.quantile(brain.array[0][region], steps)
    np.testing.assert_allclose(np.quantile(made.volume.array[0][region], steps), expected, atol=0.02 * np.ptp(expected))
    guarded = structure_guard(made.normalized_input, made.normalized_output, 3.0, brain.spacing)
    inner = np.argsort(guarded[0][region])
    assert (np.diff(made.volume.array[0][region][inner]) >= -1e-3).all()


def test_matching_keeps_hu_in_hu():
    ct = Volume(np.where(head(1) > 0, head(1) - 300, -1000).astype(np.int16)[None])
    other = ct.with_array((ct.array * 0.5 - 400).astype(np.int16))
    model = make_model(CT, CT.model_copy(update={"name": "sharp kernel"}))
    made = translate_volume(ct, model, runner=Fake(), adjustments=Adjustments(match=other))
    values = made.volume.array[0][body_mask(ct)]
    wanted = other.array[0][body_mask(other)]
    assert np.median(values) == pytest.approx(np.median(wanted), abs=20)
    assert np.mean(values) == pytest.approx(np.mean(wanted), abs=20)
    runner = Fake()
    with pytest.raises(InputError, match="is not in HU, but the translation is"):
        translate_volume(ct, model, runner=runner, adjustments=Adjustments(match=ct.with_array(ct.array + 1000)))
    with pytest.raises(InputError, match="HU, which have no bias field"):
        translate_volume(ct, model, runner=runner, adjustments=Adjustments(flatten_bias=True))
    assert runner.runs == 0, "refused before the network ran"


def test_a_flattened_input_is_blended_in_and_the_outside_is_the_input(brain):
    field = np.exp(np.linspace(-0.5, 0.5, 36)).astype(np.float32)
    biased = brain.with_array(brain.array * field)
    wanted = Adjustments(flatten_bias=True)
    whole = translate_volume(biased, make_model(), runner=Fake(), adjustments=wanted, strength=0.0)
    flat = flatten_bias(biased).array
    np.testing.assert_array_equal(whole.volume.array, flat)
    made = translate_volume(biased, make_model(), runner=Fake(), adjustments=wanted, mask=half(biased))
    outside = half(biased).array == 0
    np.testing.assert_array_equal(made.volume.array[outside], biased.array[outside])
    np.testing.assert_array_equal(made.normalized_input, RobustPercentile().fit(flat).forward(flat))
    later = adjust_translation(biased, make_model(), made, strength=0.5)
    at_once = translate_volume(biased, make_model(), runner=Fake(), adjustments=wanted, strength=0.5).volume.array
    np.testing.assert_array_equal(later, at_once)


def test_into_other_units_what_is_outside_the_mask_shows_the_input_not_the_flattened(brain):
    field = np.exp(np.linspace(-0.5, 0.5, 36)).astype(np.float32)
    biased = brain.with_array(brain.array * field)
    made = translate_volume(
        biased, make_model(MR, CT), runner=Fake(), mask=half(biased), adjustments=Adjustments(flatten_bias=True)
    )
    outside = half(biased).array == 0
    landmarks = RobustPercentile().fit(made.flattened)
    wanted = CT.inverse.inverse(landmarks.forward(biased.array))
    np.testing.assert_allclose(made.volume.array[outside], wanted[outside], atol=1e-3)


def test_an_ensemble_averages_the_pixel_grid_away_and_says_where_it_disagreed(brain):
    runner = Fake(0.2)
    single = translate_volume(brain, make_model(), runner=runner)
    runs = runner.runs
    made = translate_volume(brain, make_model(), runner=runner, adjustments=Adjustments(ensemble=True))
    assert runner.runs == 5 * runs and made.slices == 4 * single.slices
    clean = translate_volume(brain, make_model(), runner=Fake()).normalized_output
    body = brain.array > 100
    assert np.abs(single.normalized_output - clean)[body].mean() > 0.19
    assert np.abs(made.normalized_output - clean)[body].mean() < 0.01
    assert single.disagreement is None
    assert made.disagreement.array[body].mean() == pytest.approx(0.2, abs=0.01)
    every = translate_volume(brain, make_model(), runner=Fake(), planes=["all"], adjustments=Adjustments(ensemble=True))
    assert every.disagreement.array[body].mean() < 1e-3


def test_small_pictures_survive_an_ensemble():
    picture = Volume(np.random.default_rng(0).uniform(0, 900, (1, 1, 11, 13)).astype(np.float32), is_2d=True)
    made = translate_volume(picture, make_model(), runner=Fake(), adjustments=Adjustments(ensemble=True))
    alone = translate_volume(picture, make_model(), runner=Fake())
    np.testing.assert_allclose(made.volume.array, alone.volume.array, rtol=1e-4, atol=1e-2)


def test_what_the_provenance_says():
    from types import SimpleNamespace

    domain = SimpleNamespace(name="x")
    card = SimpleNamespace(
        name="m", weights=None, intended_use="", domain_from=lambda way: domain, domain_to=lambda way: domain
    )
    assert "SyntheticAdjustments" not in synthetic_notes(card, "forward", 1.0, Adjustments())
    wanted = Adjustments(structure_guard_mm=4, flatten_bias=True, ensemble=True, least_consistency=0.8)
    said = synthetic_notes(card, "forward", 0.123456, wanted)
    assert said["SyntheticAdjustments"] == (
        "bias of the input flattened (N4); ensemble over flips and shifts; structure guard 4 mm; "
        "strength chosen for a consistency of at least 0.8"
    )
    assert said["SyntheticStrength"] == "0.1235"


@pytest.mark.parametrize(
    "bad",
    [
        {"structure_guard_mm": float("nan")},
        {"least_consistency": -0.1},
        {"match_by": "eye"},
        {"match": Volume(np.zeros((1, 2, 3, 4)))},
    ],
)
def test_values_that_cannot_be(bad):
    with pytest.raises(InputError):
        Adjustments(**bad)


def test_the_worst_slices_have_a_place_in_the_patient(brain):
    values = [0.5] * 12
    values[3], values[9] = 0.1, None
    quality = {
        "slices": {"axis": "z", "look_ahead": None, "semantic_consistency": values},
        "reference": {"slices": {"psnr": list(range(12)), "ssim": [0.0] * 12}},
    }
    found = named_slices(brain, quality)
    assert found[0] == {
        "slice": 3,
        "plane": "axial",
        "position_lps": [4 - 17.5, 5 - 19.5, 6 + 9.0],
        "figure": "semantic_consistency",
        "value": 0.1,
    }
    assert [each["slice"] for each in found if each["figure"] == "psnr"] == [0, 2, 4]
    sagittal = {"slices": {"axis": "x", "look_ahead": [0.0] * 35 + [1.0]}}
    worst = named_slices(brain, sagittal)[0]
    assert (worst["slice"], worst["plane"], worst["figure"]) == (35, "sagittal", "look_ahead")
    assert worst["position_lps"] == slice_centre(brain, 2, 35) == [-31.0, -14.5, 22.5]
    assert named_slices(brain, {"slices": {}}) == []
