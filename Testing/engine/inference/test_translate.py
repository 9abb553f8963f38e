"""Translation of a volume: units, strength and mask, batches, warnings, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import COLOUR, CT, MR, SHARP, T2, Fake, brain, half_mask, make_model, of, tissue_ct
from tiny_models import head, make_tiny_model

from surgical_style_engine.errors import Cancelled, InputError, OutOfMemoryError, StyleTransferError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.air import flat_background
from surgical_style_engine.inference.readjust import adjust_translation
from surgical_style_engine.inference.suitability import check_suitable
from surgical_style_engine.inference.translate import translate_normalized, translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.body_box import body_box
from surgical_style_engine.volumes.histogram_distance import body_histogram
from surgical_style_engine.volumes.normalization import PercentileLandmarks, RobustPercentile
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A whole model folder with a small untrained network, at 2 mm."""
    return load_model(make_tiny_model(tmp_path_factory.mktemp("models")))


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


@pytest.mark.parametrize("options", [{}, {"strength": 0.4}])
def test_without_the_normalised_arrays_the_output_is_the_same(options):
    volume, model = Volume(head()[None], (1.2, 1.2, 3.0)), make_model(spacing_mm=1.5)
    whole = translate_volume(volume, model, runner=Fake(), **options)
    spare = translate_volume(volume, model, runner=Fake(), keep_normalized=False, **options)
    assert np.array_equal(spare.volume.array, whole.volume.array)
    assert spare.normalized_input.size == spare.normalized_output.size == 0 < whole.normalized_input.size


class TestBatches:
    def test_every_batch_is_told(self):
        seen = []
        runner = Fake()
        made = translate_volume(
            brain(20), make_model(), batch_size=5, runner=runner, progress=lambda *counts: seen.append(counts)
        )
        assert seen == [(5, 12), (10, 12), (12, 12)] and made.slices == 12
        # Compiled networks are made for one shape; the last batch has it too.
        assert {shape[0] for shape in runner.shapes} == {5}

    def test_planes_are_counted_together(self):
        seen = []
        made = translate_volume(
            brain(20),
            make_model(),
            planes=["axial", "sagittal"],
            batch_size=12,
            runner=Fake(),
            progress=lambda *counts: seen.append(counts),
        )
        assert seen == [(12, 48), (24, 48), (36, 48), (48, 48)] and made.slices == 48

    def test_how_many_at_once_does_not_matter(self, tiny):
        volume = brain(20)
        one, three, all_ = (translate_volume(volume, tiny, batch_size=n).volume.array for n in (1, 3, 99))
        np.testing.assert_allclose(one, three, atol=0.01)
        np.testing.assert_allclose(one, all_, atol=0.01)
        assert one.std() > 1

    def test_the_same_again_is_identical(self, tiny):
        volume = brain(20)
        arguments = {"planes": ["all"], "batch_size": 4}
        one, other = (translate_volume(volume, tiny, **arguments) for _ in range(2))
        assert one.volume.array.tobytes() == other.volume.array.tobytes()
        assert one.disagreement.array.tobytes() == other.disagreement.array.tobytes()

    def test_cancelling_stops_before_the_next_batch(self):
        runner = Fake()
        with pytest.raises(Cancelled):
            translate_volume(
                brain(20), make_model(), batch_size=2, runner=runner, cancelled=lambda: len(runner.shapes) >= 3
            )
        assert len(runner.shapes) == 3
        runner = Fake()
        with pytest.raises(Cancelled):
            translate_volume(brain(20), make_model(), runner=runner, cancelled=lambda: True)
        assert runner.shapes == []

    def test_cancelling_between_planes(self):
        runner = Fake()
        with pytest.raises(Cancelled):
            translate_volume(
                brain(20),
                make_model(),
                planes=["all"],
                batch_size=12,
                runner=runner,
                cancelled=lambda: len(runner.shapes) >= 1,
            )
        assert len(runner.shapes) == 1

    def test_short_memory_halves_the_batch_and_says_so(self):
        runner = Fake(most=3)
        whole = translate_volume(brain(20), make_model(), batch_size=12, runner=Fake())
        made = translate_volume(brain(20), make_model(), batch_size=12, runner=runner)
        np.testing.assert_array_equal(made.volume.array, whole.volume.array)
        assert max(shape[0] for shape in runner.shapes) == 3
        assert "Memory was short; the batch was reduced to 3 slices." in made.warnings
        assert not any("Memory" in warning for warning in whole.warnings)

    def test_a_smaller_batch_is_kept(self):
        """Not tried anew, and failing anew, for every batch."""
        tried = []

        class Noting(Fake):
            def run(self, batch):
                tried.append(len(batch))
                return super().run(batch)

        translate_volume(brain(20), make_model(), batch_size=4, runner=Noting(most=2))
        assert tried == [4, 2, 2, 2, 2, 2, 2]

    def test_the_smallest_batch_of_all_planes_is_told(self):
        """The first plane's slices are the largest here, and the last plane's fit again."""

        class Area(Fake):
            def run(self, batch):
                if batch.size > 12 * 2000:
                    raise MemoryError
                return super().run(batch)

        volume = brain(20, shape=(12, 64, 60))
        made = translate_volume(volume, make_model(), planes=["axial", "coronal"], batch_size=50, runner=Area())
        assert [w for w in made.warnings if "Memory" in w] == ["Memory was short; the batch was reduced to 6 slices."]

    @pytest.mark.parametrize(("device", "advice"), [("cpu", "of 40x36."), ("cuda:0", "of 40x36; use the device cpu.")])
    def test_not_even_one_slice(self, device, advice):
        sentence = f"^The device {device} has too little memory for a single slice {advice}$"
        with pytest.raises(OutOfMemoryError, match=sentence) as caught:
            translate_volume(brain(20), make_model(), batch_size=8, runner=Fake(most=0, device=device))
        assert caught.value.exit_code == 1 and caught.value.code == "out_of_memory"

    @pytest.mark.parametrize(("device", "size"), [("cpu", 1), ("mps", 4), ("cuda:3", 16)])
    def test_the_device_decides_the_batch(self, device, size):
        runner = Fake(device=device)
        translate_volume(brain(20, shape=(20, 24, 24)), make_model(), runner=runner)
        assert max(shape[0] for shape in runner.shapes) == size


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


class TestPlanes:
    def test_each_plane_cuts_across_its_own_axis(self):
        volume = brain(20, shape=(17, 40, 60))
        for plane, across in (("axial", 17), ("coronal", 40), ("sagittal", 60)):
            made = translate_volume(volume, make_model(), planes=[plane], runner=Fake())
            assert made.slices == across and made.disagreement is None

    def test_several_are_averaged_and_their_disagreement_is_shown(self):
        """A network that adds the width of what it sees: 0.1 axial, 0.2 coronal."""
        volume = brain(20, shape=(20, 24, 28))
        canonical_width = {(24, 28): 0.1, (20, 28): 0.2, (20, 24): 0.6}

        def add(batch):
            return np.clip(batch * 0.1 + canonical_width[batch.shape[-2:]], -1, 1)

        flipped = replace(
            volume,
            array=volume.array[:, ::-1].transpose(0, 3, 1, 2),
            direction=np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]),
            spacing=(1.0, 3.0, 1.0),
        )
        made = translate_volume(flipped, make_model(), planes=["axial", "coronal", "sagittal"], runner=Fake(add))
        np.testing.assert_allclose(made.normalized_output, 0.1 * made.normalized_input + 0.3, atol=1e-5)
        wanted = np.std([0.1, 0.2, 0.6])
        np.testing.assert_allclose(made.disagreement.array, wanted, atol=1e-5)
        assert made.disagreement.array.shape == flipped.array.shape and made.disagreement.same_grid(flipped)

    def test_all_and_twice_the_same(self):
        volume = brain(20)
        runner = Fake()
        made = translate_volume(volume, make_model(), planes=["all"], runner=runner)
        assert made.slices == 12 + 40 + 36
        assert translate_volume(volume, make_model(), planes=["axial", "axial"], runner=runner).slices == 12

    def test_an_unknown_plane(self):
        with pytest.raises(InputError, match="no plane 'oblique'; use axial, coronal, sagittal or all"):
            translate_volume(brain(), make_model(), planes=["oblique"], runner=Fake())

    def test_normalised_volumes_pass_without_a_detour_through_units(self):
        volume = brain(20)
        normalized = volume.with_array(RobustPercentile().fit(volume.array).forward(volume.array))
        made = translate_normalized(normalized, make_model(), planes=["coronal"], runner=Fake())
        np.testing.assert_array_equal(made, -normalized.array)
        with pytest.raises(Cancelled):
            translate_normalized(normalized, make_model(), runner=Fake(), cancelled=lambda: True)


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

    def test_channels(self):
        colour = Volume(np.random.default_rng(0).integers(0, 255, (3, 2, 20, 20)).astype(np.uint8), name="p.png")
        with pytest.raises(InputError, match="^p.png is colour, but the model fake takes scalar volumes.$"):
            translate_volume(colour, make_model(), runner=Fake())
        with pytest.raises(InputError, match="^The volume is scalar, but the model fake takes colour volumes.$"):
            translate_volume(brain(), make_model(COLOUR, MR), runner=Fake())

    @pytest.mark.parametrize(
        ("stated", "source", "refused"),
        [
            ("CT", MR, True),
            ("MR", CT, True),
            ("PT", MR, True),
            ("MR", MR, False),
            (" mr ", MR, False),
            ("", MR, False),
            ("OT", MR, False),
            ("SEG", CT, False),
            ("CR", of("DX"), False),
            ("DX", of("CR"), False),
            ("CR", MR, True),
            ("CT", of("photograph"), False),
        ],
    )
    def test_the_modality_that_a_header_states(self, stated, source, refused):
        volume = replace(brain(), metadata={"Modality": stated}, name="scan.nrrd")
        model = make_model(source, T2)
        if not refused:
            check_suitable(volume, model, "forward")
            return
        with pytest.raises(InputError, match=f"^scan.nrrd is .* by its header, but .* fake takes {source.modality} "):
            translate_volume(volume, model, runner=Fake())

    def test_a_spacing_that_would_fill_the_memory(self):
        volume = replace(brain(), spacing=(1000.0, 1000.0, 3000.0))  # micrometres
        runner = Fake()
        with pytest.raises(InputError, match="would be too large at the model's 1 mm; is the spacing right"):
            translate_volume(volume, make_model(spacing_mm=1.0), runner=runner)
        assert runner.shapes == []


class TestWarnings:
    def warnings(self, volume, source, **fields):
        model = make_model(source.model_copy(update=fields), T2)
        return translate_volume(volume, model, runner=Fake()).warnings

    def test_ct_for_an_mr_model(self):
        assert self.warnings(tissue_ct(), MR) == [
            "The volume has values below -500, like CT in HU; the model expects MR."
        ]

    def test_mr_for_a_ct_model(self):
        assert self.warnings(brain(5), CT) == ["The volume has no negative values; the model expects CT in HU."]

    def test_a_header_that_states_the_modality_is_believed(self):
        assert self.warnings(replace(brain(5), metadata={"Modality": "CT"}), CT) == []
        # Some MR reconstructions have negative values.
        odd = replace(tissue_ct(), metadata={"Modality": "MR"})
        assert self.warnings(odd, MR) == []

    def test_a_warning_of_the_reader_is_passed_on(self):
        volume = replace(brain(5), metadata={"Warning": "Two slices are missing."})
        assert self.warnings(volume, MR) == ["Two slices are missing."]

    def test_other_intensities_than_those_of_training(self):
        """Trained on three heads; another head is usual, an inverted one (as another contrast would be) is not."""

        def shares(volume):
            return body_histogram(RobustPercentile().fit(volume.array).forward(volume.array)).tolist()

        statistics = {"histograms": [shares(brain(5, seed=s)) for s in (1, 2, 3)], "usual_distance": 0.02}
        assert self.warnings(brain(5, seed=4), MR, statistics=statistics) == []
        usual = brain(5, seed=4)
        bright = usual.with_array(np.where(usual.array > 100, 1300 - usual.array, 0) ** 3)
        found = self.warnings(bright, MR, statistics=statistics)
        assert len(found) == 1 and "distribution of intensities differs" in found[0] and "usual up to 0.10" in found[0]
        # A model whose training volumes differ as much themselves finds it usual.
        assert self.warnings(bright, MR, statistics={**statistics, "usual_distance": 1.9}) == []

    def test_nothing_unusual_nothing_said(self):
        assert self.warnings(brain(5), MR) == []


REAL = {
    "mr": "open-ms/longitudinal/patient04_study1_T1W.nii.gz",
    "extracted": "open-ms/mni/patient07_T1.nii.gz",
    "dicom": "dicom/vs-seg-001",
    "ct": "ct/totalseg_example_ct.nii.gz",
    "xray": "xray/nih_00000001_000.png",
    "painting": "art/the_scream.jpg",
}


class TestRealVolumes:
    """An untrained network at a coarse spacing: the whole way, quickly."""

    @pytest.fixture(scope="class")
    def models(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("real")
        return {
            modality: load_model(make_tiny_model(folder, modality or "none", modality=modality, spacing_mm=4.0))
            for modality in ("MR", "CT", "")
        } | {"RGB": load_model(make_tiny_model(folder, "rgb", modality="", channels=3))}

    @pytest.mark.parametrize("name", REAL)
    def test_every_kind(self, shared_data, models, name):
        volume = read_volume(shared_data / REAL[name])
        model = models[{"ct": "CT", "xray": "", "painting": "RGB"}.get(name, "MR")]
        made = translate_volume(volume, model, planes=["sagittal"] if name == "mr" else None, batch_size=8)
        assert made.volume.array.shape == volume.array.shape and made.volume.array.dtype == np.float32
        assert made.volume.same_grid(volume) and made.volume.origin == volume.origin
        assert np.isfinite(made.volume.array).all() and made.volume.array.std() > 1
        assert made.warnings == [] and made.slices > (0 if volume.is_2d else 20)
        assert np.abs(made.normalized_output - made.normalized_input).mean() > 0.01
        if name == "extracted":
            air = flat_background(made.normalized_input)
            assert air.mean() > 0.3 and np.array_equal(made.normalized_output[air], made.normalized_input[air])

    def test_the_wrong_kind_is_noticed(self, shared_data, models):
        ct, mr, series = (read_volume(shared_data / REAL[name]) for name in ("ct", "mr", "dicom"))
        assert any("like CT in HU" in w for w in translate_volume(ct, models["MR"], batch_size=8).warnings)
        assert any("expects CT" in w for w in translate_volume(mr, models["CT"], batch_size=8).warnings)
        with pytest.raises(InputError, match="is MR by its header, but the model CT takes CT"):
            translate_volume(series, models["CT"])

    def test_a_mask_of_another_study_lies_on_another_grid(self, shared_data, models):
        folder = shared_data / "open-ms" / "longitudinal"
        volume = read_volume(folder / "patient04_study1_T1W.nii.gz")
        mask = read_volume(folder / "patient04_brainmask.nii.gz")
        assert mask.size != volume.size
        made = translate_volume(volume, models["MR"], mask=mask, batch_size=8)
        changed = np.abs(made.volume.array - volume.array) > 0
        assert 0.05 < changed.mean() < 0.5
        # The outermost voxels of a head scan are no brain.
        assert not changed[:, :, :20].any() and not changed[:, :, -20:].any()
