"""Input and translation blended by strength and mask, and in which units."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import CT, MR, SHARP, T2, Fake, brain, half_mask, make_model, tissue_ct

from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.readjust import adjust_translation
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.volumes.normalization import PercentileLandmarks, RobustPercentile
from surgical_style_engine.volumes.volume import Volume

RULES = {
    "hu to hu": (CT, SHARP, tissue_ct),
    "mr to mr": (MR, T2, lambda: brain(5)),
    "mr to ct": (MR, CT, lambda: brain(5)),
    "ct to mr": (CT, MR, tissue_ct),
}


@pytest.mark.parametrize("rule", RULES)
class TestStrengthAndMask:
    def given(self, rule):
        source, target, volume = RULES[rule]
        return volume(), make_model(source, target)

    def untouched(self, rule, volume, made):
        """What the docstring promises where nothing is translated."""
        if rule in ("hu to hu", "mr to mr"):
            return volume.array.astype(np.float32)
        return RULES[rule][1].inverse.inverse(made.normalized_input)

    def test_full_strength_is_the_translation(self, rule):
        volume, model = self.given(rule)
        made = translate_volume(volume, model, runner=Fake())
        np.testing.assert_array_equal(made.volume.array, RULES[rule][1].inverse.inverse(made.normalized_output))
        assert not any("mixed" in warning for warning in made.warnings)

    def test_none_is_the_input(self, rule):
        volume, model = self.given(rule)
        made = translate_volume(volume, model, strength=0, runner=Fake())
        np.testing.assert_array_equal(made.volume.array, self.untouched(rule, volume, made))

    def test_between_goes_evenly_from_one_to_the_other(self, rule):
        volume, model = self.given(rule)
        ends = [translate_volume(volume, model, strength=s, runner=Fake()).volume.array for s in (0, 1)]
        made = translate_volume(volume, model, strength=0.25, runner=Fake())
        if rule == "mr to mr":
            # Normalised intensities are mixed, and so is the range they are shown in.
            own = RobustPercentile().fit(volume.array)
            scale = PercentileLandmarks(
                low=0.75 * own.low, high=0.75 * own.high + 100, maximum=0.75 * own.maximum + 175
            )  # T2.inverse is 0, 400, 700
            mixed = 0.75 * made.normalized_input + 0.25 * made.normalized_output
            np.testing.assert_allclose(made.volume.array, scale.inverse(mixed), atol=0.01)
        elif rule == "ct to mr":
            mixed = 0.75 * made.normalized_input + 0.25 * made.normalized_output
            np.testing.assert_allclose(made.volume.array, MR.inverse.inverse(mixed), atol=0.01)
        else:  # linear scales: the values themselves
            np.testing.assert_allclose(made.volume.array, 0.75 * ends[0] + 0.25 * ends[1], atol=0.01)

    def test_outside_the_mask_the_input_stays(self, rule):
        volume, model = self.given(rule)
        mask = half_mask(volume)
        inside = mask.array != 0
        for strength in (1.0, 0.4):
            made = translate_volume(volume, model, strength=strength, mask=mask, runner=Fake())
            untouched = self.untouched(rule, volume, made)
            np.testing.assert_array_equal(made.volume.array[~inside], untouched[~inside])
            mixed = (1 - strength) * made.normalized_input + strength * made.normalized_output
            if rule == "mr to mr":  # the input's own range throughout, so that both sides compare
                wanted = RobustPercentile().fit(volume.array).inverse(mixed)
            else:
                wanted = RULES[rule][1].inverse.inverse(mixed)
            np.testing.assert_allclose(made.volume.array[inside], wanted[inside], atol=0.01)
            assert np.abs(made.volume.array - untouched)[inside].max() > 50

    def test_a_mixture_of_units_is_told(self, rule):
        volume, model = self.given(rule)
        for arguments in ({"strength": 0.5}, {"mask": half_mask(volume)}, {"strength": 0}):
            made = translate_volume(volume, model, runner=Fake(), **arguments)
            told = [warning for warning in made.warnings if "are mixed" in warning]
            assert made.mixed == bool(told)
            assert len(told) == (rule in ("mr to ct", "ct to mr"))
            assert not told or "HU" in told[0] and "arbitrary units" in told[0]

    def test_adjusting_afterwards_gives_the_same(self, rule):
        volume, model = self.given(rule)
        made = translate_volume(volume, model, runner=Fake())
        for strength, mask in ((0, None), (0.3, None), (1, half_mask(volume)), (0.6, half_mask(volume)), (1, None)):
            wanted = translate_volume(volume, model, strength=strength, mask=mask, runner=Fake()).volume.array
            found = adjust_translation(volume, model, made, strength=strength, mask=mask)
            np.testing.assert_array_equal(found, wanted)


class TestMask:
    def test_on_another_grid(self):
        """Twice as fine, flipped and shifted; what counts is where a voxel's centre lies."""
        volume = brain(5)
        fine = np.zeros((1, 24, 80, 72), np.int16)
        fine[:, :, :, :40] = 1  # x below 40 * 0.5 mm
        mask = Volume(
            fine[:, ::-1], (0.5, 0.5, 1.5), (4.0 - 0.25, 5.0 - 0.25, 6.0 - 0.75 + 1.5 * 23), np.diag([1.0, 1.0, -1.0])
        )
        made = translate_volume(volume, make_model(), mask=mask, runner=Fake())
        changed = made.volume.array != volume.array
        assert not changed[..., 20:].any()
        assert changed[..., 10:20].mean() > 0.9

    def test_nowhere_or_elsewhere(self):
        volume = brain(5)
        empty = volume.with_array(np.zeros((1, 12, 40, 36), np.uint8))
        elsewhere = replace(half_mask(volume), origin=(900.0, 0.0, 0.0))
        nothing = volume.with_array(np.full((1, 12, 40, 36), np.nan, np.float32))
        for mask in (empty, elsewhere, nothing):
            with pytest.raises(InputError, match="^The mask is empty or does not overlap the volume.$"):
                translate_volume(volume, make_model(), mask=mask, runner=Fake())

    def test_values_that_are_no_numbers_are_outside(self):
        volume = brain(5)
        mask = half_mask(volume).array.astype(np.float32)
        mask[mask == 0] = np.nan
        made = translate_volume(volume, make_model(), mask=volume.with_array(mask), runner=Fake())
        assert np.array_equal(made.volume.array[..., 18:], volume.array[..., 18:])

    def test_colours_are_no_mask(self):
        volume = brain(5)
        with pytest.raises(InputError, match="several channels"):
            translate_volume(volume, make_model(), mask=volume.with_array(np.ones((3, 12, 40, 36))), runner=Fake())
