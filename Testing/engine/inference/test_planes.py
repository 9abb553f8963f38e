"""One plane or several: what they cut across, their average and their disagreement."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import Fake, brain, make_model

from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.inference.translate import translate_normalized, translate_volume
from surgical_style_engine.volumes.normalization import RobustPercentile


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
