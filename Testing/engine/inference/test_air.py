"""The flat air around an extracted brain stays as it is."""

import numpy as np
from fakes import Fake, brain, make_model

from surgical_style_engine.inference.air import flat_background
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.volumes.normalization import RobustPercentile


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
