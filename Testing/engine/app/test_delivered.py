"""What is judged is the image that is delivered, with its strength, mask and adjustments."""

import numpy as np
import pytest
from judged_cases import PAIRS, case_of, judge, make_model, mask_of

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.app.delivered import Delivered
from surgical_style_engine.inference.readjust import readjust
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.volumes.normalization import PercentileLandmarks


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
