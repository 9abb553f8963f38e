"""Translation of a volume: units, types of voxels, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import COLOUR, CT, MR, SHARP, T2, Fake, brain, half_mask, make_model, tissue_ct
from tiny_models import head

from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.readjust import adjust_translation
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.volumes.normalization import RobustPercentile
from surgical_style_engine.volumes.volume import Volume


class TestUnits:
    def test_the_directions_end_in_the_units_of_their_own_domain(self):
        volume = brain(5)
        for direction, goal in (("forward", T2), ("backward", MR)):
            made = translate_volume(volume, make_model(), direction=direction, runner=Fake(np.array))
            landmarks = RobustPercentile().fit(volume.array)
            wanted = goal.inverse.inverse(landmarks.forward(volume.array))
            np.testing.assert_allclose(made.volume.array, wanted, atol=0.01)
            np.testing.assert_array_equal(made.normalized_input, landmarks.forward(volume.array))

    def test_a_cohort_comes_out_alike_whatever_the_scanners_gain(self):
        volume = brain(5)
        louder = volume.with_array(volume.array * 37 + 11)
        one, other = (translate_volume(each, make_model(), runner=Fake()).volume.array for each in (volume, louder))
        np.testing.assert_allclose(one, other, atol=0.05)

    def test_hu_stay_hu(self):
        volume = tissue_ct()
        made = translate_volume(volume, make_model(CT, SHARP), runner=Fake(np.array))
        np.testing.assert_allclose(made.volume.array, volume.array, atol=0.001)
        assert made.warnings == []

    @pytest.mark.parametrize(
        "dtype", ["bool", "int8", "uint8", "int16", "uint16", "uint32", "int64", "float16", "float64", ">i2", ">f4"]
    )
    def test_every_type_of_voxels(self, dtype):
        """Read-only and not contiguous, as memory-mapped and turned arrays are; nothing is written into them."""
        array = (head() / 8).astype(dtype).transpose(2, 0, 1)[None, ::-1]
        array.setflags(write=False)
        before = array.tobytes()
        volume = Volume(array)
        half = translate_volume(volume, make_model(), strength=0.5, mask=half_mask(volume), runner=Fake()).volume.array
        assert array.tobytes() == before
        as_float = volume.with_array(array.astype(np.float32))
        wanted = translate_volume(as_float, make_model(), strength=0.5, mask=half_mask(volume), runner=Fake())
        np.testing.assert_allclose(half, wanted.volume.array, atol=0.01)
        assert half.dtype == np.float32 and half.dtype.isnative and half.flags.c_contiguous

    def test_an_unknown_direction(self):
        model = make_model(directions=["forward"])
        with pytest.raises(InputError, match="no direction 'backward'; it has forward"):
            translate_volume(brain(), model, direction="backward", runner=Fake())

    def test_grey_to_colour_and_back(self):
        grey = make_model(MR.model_copy(update={"modality": ""}), COLOUR)
        volume = brain(5)
        made = translate_volume(volume, grey, runner=Fake(lambda batch: np.repeat(batch, 3, axis=1)))
        assert made.volume.array.shape == (3, 12, 40, 36)
        assert made.volume.array.min() >= 0 and made.volume.array.max() <= 255
        back = translate_volume(
            made.volume, grey, direction="backward", runner=Fake(lambda batch: batch.mean(1, keepdims=True))
        )
        assert back.volume.array.shape == (1, 12, 40, 36)
        # Both domains are "", but their normalisations differ in kind: a mixture would mean nothing.
        for arguments in ({"strength": 0.5}, {"mask": half_mask(volume)}):
            with pytest.raises(InputError, match="equal numbers of channels"):
                translate_volume(volume, grey, runner=Fake(), **arguments)


@pytest.mark.parametrize("options", [{}, {"strength": 0.4}])
def test_without_the_normalised_arrays_the_output_is_the_same(options):
    volume, model = Volume(head()[None], (1.2, 1.2, 3.0)), make_model(spacing_mm=1.5)
    whole = translate_volume(volume, model, runner=Fake(), **options)
    spare = translate_volume(volume, model, runner=Fake(), keep_normalized=False, **options)
    assert np.array_equal(spare.volume.array, whole.volume.array)
    assert spare.normalized_input.size == spare.normalized_output.size == 0 < whole.normalized_input.size


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("array", "sentence"),
        [
            (np.zeros((1, 4, 20, 20), np.float32), "constant"),
            (np.full((1, 4, 20, 20), np.nan, np.float32), "NaN or infinite"),
            (np.zeros((1, 0, 20, 20), np.float32), "empty"),
            (np.zeros((2, 4, 20, 20), np.float32), "2 channels"),
            (np.zeros((1, 4, 20, 20), np.complex64), "complex"),
        ],
    )
    def test_unusable_voxels(self, array, sentence):
        with pytest.raises(InputError, match=sentence):
            translate_volume(Volume(array), make_model(), runner=Fake())

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ({"strength": 1.01}, "between 0 and 1, not 1.01"),
            ({"strength": -0.5}, "between 0 and 1, not -0.5"),
            ({"strength": float("nan")}, "between 0 and 1, not nan"),
            ({"batch_size": 0}, "at least 1, not 0"),
            ({"batch_size": -3}, "at least 1, not -3"),
        ],
    )
    def test_unusable_settings(self, arguments, sentence):
        runner = Fake()
        with pytest.raises(InputError, match=sentence):
            translate_volume(brain(), make_model(), runner=runner, **arguments)
        assert runner.shapes == []
        if "strength" in arguments:
            made = translate_volume(brain(), make_model(), runner=Fake())
            with pytest.raises(InputError, match=sentence):
                adjust_translation(brain(), make_model(), made, **arguments)

    def test_a_spacing_that_would_fill_the_memory(self):
        volume = replace(brain(), spacing=(1000.0, 1000.0, 3000.0))  # micrometres
        runner = Fake()
        with pytest.raises(InputError, match="would be too large at the model's 1 mm; is the spacing right"):
            translate_volume(volume, make_model(spacing_mm=1.0), runner=runner)
        assert runner.shapes == []
