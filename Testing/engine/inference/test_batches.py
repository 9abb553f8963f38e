"""Slices in batches: progress, cancelling, and batches made smaller when memory is short."""

import numpy as np
import pytest
from fakes import Fake, brain, make_model

from surgical_style_engine.errors import Cancelled, OutOfMemoryError
from surgical_style_engine.inference.translate import translate_volume


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
