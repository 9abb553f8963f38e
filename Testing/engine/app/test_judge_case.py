"""A translated volume is judged: the delivered image, in one region, on the right grid, under stable keys."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import Fake

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.app.delivered import Delivered
from surgical_style_engine.app.judge_case import JudgeCase, judge_case, region_of
from surgical_style_engine.app.judge_set import set_features
from surgical_style_engine.app.judging import Judging
from surgical_style_engine.backends import select as backends
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.cycle import cycle_of
from surgical_style_engine.inference.readjust import readjust
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.metrics import registry
from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard
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


def judge(volume, model, translation, **more):
    """The metrics, without the cycle's unless asked for."""
    return judge_case(JudgeCase(volume, model, translation, **{"judging": Judging(cycle=False), **more})).quality


def compare(volume, model, translation, reference, labels, **more):
    """The metrics against a reference."""
    return judge(volume, model, translation, reference=reference, labels=labels, **more)["reference"]


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


def test_features_of_a_set_do_not_depend_on_the_axes_order(volume):
    from surgical_style_engine.volumes.geometry import to_canonical

    canonical, _ = to_canonical(volume)
    mask = volume.array[0] > 0
    turned = canonical.array[0] > 0
    stored = set_features(volume, volume.array, mask)
    np.testing.assert_allclose(set_features(canonical, canonical.array, turned), stored)
    assert len(stored) > 10


MR = make_model().card.domains.source
OTHER_MR = MR.model_copy(update={"name": "T2w", "inverse": PercentileLandmarks(low=5, high=300, maximum=900)})
NARROW_CT = Domain(
    name="soft tissue",
    modality="CT",
    units="HU",
    normalization=HUWindow(lower=-500, upper=700),
    inverse=HUWindow(lower=-500, upper=700).fit(np.zeros(2)),
)
PAIRS = {
    "MR to MR": (MR, OTHER_MR),
    "MR to CT": (MR, CT),
    "CT to CT": (CT, CT),
    "CT to another window": (CT, NARROW_CT),
}


def case_of(volume, pair):
    """A model of two domains, and the volume in the source's units."""
    source, target = PAIRS[pair]
    card = make_model(target).card
    card = card.model_copy(update={"domains": Domains(source=source, target=target)})
    model = SimpleNamespace(card=card, folder=None, check_direction=lambda direction: None)
    return (volume if source is MR else volume.with_array(volume.array * 1.5 - 700)), model


def mask_of(volume):
    inside = np.zeros(volume.array.shape, np.uint8)
    inside[:, :, 12:30, 10:40] = 7
    return volume.with_array(inside)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("strength", [0, 0.4, 1])
@pytest.mark.parametrize("masked", [False, True])
def test_what_is_judged_is_what_is_delivered(networks, volume, pair, strength, masked):
    """In units, the judged image is the delivered one, as far as the target's range goes."""
    volume, model = case_of(volume, pair)
    mask = mask_of(volume) if masked else None
    translation = translate_volume(volume, model, strength=strength, mask=mask)
    image = Delivered(volume, model, translation, "forward", mask).image
    source, target = PAIRS[pair]
    shown = translation.volume.array
    if pair == "MR to MR":  # on a scale between the two, see inference.blend
        own, other = source.normalization.fit(volume.array), target.inverse
        part = 0 if masked else strength
        names = ("low", "high", "maximum")
        scale = PercentileLandmarks(**{n: (1 - part) * getattr(own, n) + part * getattr(other, n) for n in names})
    else:
        scale = target.inverse
        shown = np.clip(shown, scale.low, scale.high)
    np.testing.assert_allclose(scale.inverse(image), shown, atol=0.6, rtol=2e-3)


@pytest.mark.parametrize("pair", PAIRS)
def test_at_strength_0_the_metrics_are_those_of_the_input(networks, volume, pair):
    volume, model = case_of(volume, pair)
    reference = case_of(volume, pair)[0]
    array = reference.array[:, :, ::-1] if PAIRS[pair][1].units == "" else reference.array[:, :, ::-1] - 90
    reference = volume.with_array(np.ascontiguousarray(array))
    full = judge(volume, model, translate_volume(volume, model), reference=reference)
    zero = judge(volume, model, translate_volume(volume, model, strength=0), reference=reference)
    floor = zero["reference"]["floors"]["input"]
    assert floor == full["reference"]["floors"]["input"]
    assert {key: zero["reference"][key] for key in floor} == floor
    assert zero["semantic_consistency"] == pytest.approx(1)
    assert full["network"] is None and full["judged"] == "delivered" and full["cycle_judges"] == "network"
    own = zero["network"]
    assert own["semantic_consistency"] == pytest.approx(full["semantic_consistency"])
    assert {key: own["reference"][key] for key in floor} == {key: full["reference"][key] for key in floor}
    assert own["reference"]["psnr"] != pytest.approx(floor["psnr"], abs=0.1)


def test_outside_the_mask_the_input_counts(networks, volume):
    model = make_model()
    mask = mask_of(volume)
    inside = mask.array != 0
    translation = translate_volume(volume, model, mask=mask)
    delivered = Delivered(volume, model, translation, "forward", mask)
    np.testing.assert_array_equal(delivered.image[~inside], translation.normalized_input[~inside])
    np.testing.assert_array_equal(delivered.image[inside], translation.normalized_output[inside])
    # Judged in the whole body, the half that was translated is a part only.
    judged = {"labels": (volume.array[0] > 0).astype(np.uint8), "reference": volume}
    partly = judge(volume, model, translation, mask=mask, **judged)
    wholly = judge(volume, model, translate_volume(volume, model), **judged)
    assert partly["reference"]["mae_normalised"] < 0.7 * wholly["reference"]["mae_normalised"]
    assert partly["network"]["reference"]["mae"] == wholly["reference"]["mae"]
    assert partly["network"]["semantic_consistency"] == pytest.approx(wholly["semantic_consistency"])


def test_a_flattened_input_stays_outside_the_mask_as_it_came(networks, volume):
    model = make_model()
    field = np.exp(np.linspace(-0.5, 0.5, volume.array.shape[3])).astype(np.float32)
    volume = volume.with_array(volume.array * field)
    mask = mask_of(volume)
    adjustments = Adjustments(flatten_bias=True)
    translation = translate_volume(volume, model, mask=mask, strength=0, adjustments=adjustments)
    image = Delivered(volume, model, translation, "forward", mask).image
    landmarks = model.card.domains.source.normalization.fit(translation.flattened)
    outside = mask.array == 0
    np.testing.assert_array_equal(image[outside], landmarks.forward(volume.array)[outside])
    np.testing.assert_array_equal(image[~outside], translation.normalized_input[~outside])


def test_adjusting_again_changes_what_is_judged(networks, volume):
    model = make_model(spacing_mm=None)
    # Fine structure that the input has not.
    networks["forward"] = lambda batch: np.clip(batch + 0.4 * (np.indices(batch.shape)[2:].sum(0) % 2), -1, 1)
    translation = translate_volume(volume, model)
    plain = judge(volume, model, translation)
    guarded = readjust(volume, model, translation, adjustments=Adjustments(structure_guard_mm=6.0))
    judged = judge(volume, model, guarded)
    assert judged["semantic_consistency"] > plain["semantic_consistency"]
    assert judged["network"]["semantic_consistency"] == pytest.approx(plain["semantic_consistency"])
    half = judge(volume, model, readjust(volume, model, translation, strength=0.2))
    assert half["semantic_consistency"] > plain["semantic_consistency"]
    assert half["worst"] != plain["worst"]


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
