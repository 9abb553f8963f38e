"""The flat air around an extracted brain stays as it is."""

import numpy as np
from fakes import Fake, brain, make_model
from tiny_models import head, make_tiny_model

from surgical_style_engine.inference.air import flat_background
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.normalization import RobustPercentile


def test_a_network_for_one_picture_leaves_the_air(tmp_path):
    """It would paint that as well, and another shade where the body's box ends."""
    model = load_model(make_tiny_model(tmp_path, training={"method": "perceptual"}))
    volume = brain(noise=5)  # air that is not flat
    body = head() > 0
    near = np.any([np.roll(body, (y, x), (1, 2)) for y in range(-3, 4) for x in range(-3, 4)], axis=0)
    for options in ({}, {"keep_normalized": True}):
        result = translate_volume(volume, model, runner=Fake(), **options).volume.array[0]
        assert result[~near].max() < 50 and result.max() > 900


class TestAir:
    def test_the_air_around_an_extracted_brain_stays_air(self, tiny):
        volume = brain(0)
        made = translate_volume(volume, tiny, planes=["all"])
        air = volume.array == 0
        assert np.abs(made.normalized_output[~air] - made.normalized_input[~air]).max() > 0.1
        np.testing.assert_array_equal(made.normalized_output[air], made.normalized_input[air])
        assert (made.volume.array[air] == tiny.card.domains.target.inverse.low).all()

    def test_holes_in_a_brain_and_noisy_air_do_not_count(self):
        volume = brain(0)
        array = volume.array.copy()
        array[0, 6, 18:22, 16:20] = 0  # as dark as the air, inside
        normalized = RobustPercentile().fit(array).forward(array)
        air = flat_background(normalized)
        assert air[0, 0, 0, 0] and not air[0, 6, 18:22, 16:20].any()
        assert flat_background(np.where(normalized <= -1, -0.99, normalized)) is None
        assert flat_background(np.repeat(normalized, 3, 0)) is None
        made = translate_volume(volume.with_array(array), make_model(), runner=Fake())
        assert (made.normalized_output[0, 6, 18:22, 16:20] == 1).all()
