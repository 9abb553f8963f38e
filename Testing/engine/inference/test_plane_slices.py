"""What a network sees of a volume, and what becomes of slices with nothing in them."""

import numpy as np
import pytest
from fakes import Fake, brain, make_model

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.volumes.body_box import body_box
from surgical_style_engine.volumes.normalization import RobustPercentile
from surgical_style_engine.volumes.volume import Volume


class TestWhatTheNetworkSees:
    def test_cut_to_the_body_with_a_margin(self):
        array = np.zeros((1, 4, 100, 120), np.float32)
        array[0, :, 40:60, 70:95] = np.random.default_rng(0).uniform(100, 900, (4, 20, 25))
        runner = Fake()
        volume = Volume(array)
        translate_volume(volume, make_model(), runner=runner)
        assert {shape[-2:] for shape in runner.shapes} == {(36, 44)}  # 20 + 16, and 25 + 16 made a multiple of 4
        assert body_box(RobustPercentile().fit(array).forward(array)) == (slice(32, 68), slice(62, 103))

    @pytest.mark.parametrize(("plane", "size"), [("axial", (64, 36)), ("coronal", (80, 36)), ("sagittal", (80, 64))])
    @pytest.mark.parametrize("turned", [False, True])
    def test_at_the_models_spacing_with_the_patients_axes(self, plane, size, turned):
        """36 x 64 x 80 mm (Left, Posterior, Superior): rows run along the second, columns along the first of each."""
        array = np.random.default_rng(0).uniform(0, 900, (1, 20, 32, 72)).astype(np.float32)
        volume = Volume(array, (0.5, 2.0, 4.0))
        if turned:  # the same patient, with axes stored as Superior, Right, Posterior
            direction = np.array([[0.0, -1, 0], [0, 0, 1], [1, 0, 0]])
            volume = Volume(array[..., ::-1].transpose(0, 2, 3, 1), (4.0, 0.5, 2.0), direction=direction)
        runner = Fake()
        translate_volume(volume, make_model(spacing_mm=1.0, plane=plane), runner=runner)
        assert {shape[-2:] for shape in runner.shapes} == {size}

    def test_empty_and_constant_slices_do_not_run_and_stay(self):
        volume = brain(20)
        array = volume.array.copy()
        array[0, 2], array[0, 5], array[0, 9] = 0, 400, 800  # air, grey, white
        array[0, 9, 0, 0] = 801  # one pixel is no structure
        seen = []
        made = translate_volume(
            volume.with_array(array), make_model(), runner=Fake(), progress=lambda *counts: seen.append(counts)
        )
        assert seen[-1] == (9, 9) and made.slices == 9
        for index in (2, 5, 9):
            np.testing.assert_array_equal(made.normalized_output[0, index], made.normalized_input[0, index])
        assert np.abs(made.normalized_output[0, 4] - made.normalized_input[0, 4]).max() > 1

    def test_constant_slices_never_give_nan(self, tiny):
        rng = np.random.default_rng(0)
        array = np.zeros((1, 8, 40, 40), np.float32)
        array[0, 1] = 1000
        array[0, 2] = 500
        array[0, 2, 7, 7] = 501
        array[0, 3, :, :20] = 1000
        array[0, 4] = 500 + rng.normal(0, 1e-3, (40, 40))
        array[0, 5] = rng.uniform(0, 1000, (40, 40))
        array[0, 6, 20, 20] = 1000
        array[0, 7, 0:2, 0:2] = 1000
        for planes in (["axial"], ["all"]):
            made = translate_volume(Volume(array, (2.0, 2.0, 2.0)), tiny, planes=planes)
            assert np.isfinite(made.volume.array).all() and made.slices > 0

    @pytest.mark.parametrize("shape", [(1, 1, 1, 7), (1, 2, 1, 1), (1, 1, 2, 2), (1, 3, 5, 2), (1, 1, 17, 1)])
    def test_the_smallest_volumes(self, tiny, shape):
        array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        for spacing in (0.1, 2.0, 30.0):
            made = translate_volume(Volume(array, (spacing,) * 3), tiny, planes=["all"])
            assert made.volume.array.shape == shape and np.isfinite(made.volume.array).all()

    def test_nothing_to_translate_is_told(self):
        """A ramp across the slices: each slice is constant."""
        array = np.repeat(np.arange(6, dtype=np.float32), 400).reshape(1, 6, 20, 20)
        made = translate_volume(Volume(array), make_model(), runner=Fake())
        assert made.slices == 0 and any("No slice holds anything to translate" in w for w in made.warnings)
        np.testing.assert_array_equal(made.normalized_output, made.normalized_input)

    def test_the_middle_of_a_stack_is_taken_whether_the_network_gives_one_slice_or_all(self):
        volume = brain(20)
        model = make_model(stack=3, stack_spacing_mm=3.0)
        single = translate_volume(volume, model, runner=Fake(lambda batch: -batch[:, 1:2]))
        whole = translate_volume(volume, model, runner=Fake(np.negative))
        np.testing.assert_array_equal(single.volume.array, whole.volume.array)
        np.testing.assert_array_equal(single.normalized_output, -single.normalized_input)

    def test_values_that_are_no_numbers_stop_it(self):
        def broken(batch):
            made = np.array(batch)
            made[0, 0, 3, 3] = np.nan
            return made

        with pytest.raises(StyleTransferError, match="numbers in precision fp32; its weights may be damaged") as caught:
            translate_volume(brain(20), make_model(), runner=Fake(broken))
        assert not isinstance(caught.value, InputError)
        half = Fake(broken)
        half.precision = "fp16"
        with pytest.raises(StyleTransferError, match="no numbers in precision fp16; try fp32"):
            translate_volume(brain(20), make_model(), runner=half)

    def test_values_beyond_the_range_end_at_the_ends_of_the_units(self):
        made = translate_volume(brain(20), make_model(), runner=Fake(lambda batch: batch * 3))
        assert made.volume.array.min() == 0 and made.volume.array.max() == 700
