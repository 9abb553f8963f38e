"""Volumes that a model does not take, and warnings of unusual ones."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import COLOUR, CT, MR, T2, Fake, brain, make_model, of, tissue_ct

from surgical_style_engine.errors import InputError, MisfitError
from surgical_style_engine.inference.suitability import check_suitable
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.volumes.histogram_distance import body_histogram
from surgical_style_engine.volumes.normalization import RobustPercentile
from surgical_style_engine.volumes.volume import Volume


class TestWhatIsRefused:
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


class TestWarnings:
    def warnings(self, volume, source, **fields):
        model = make_model(source.model_copy(update=fields), T2)
        return translate_volume(volume, model, runner=Fake()).warnings

    def test_ct_for_an_mr_model_is_refused_unless_the_user_insists(self):
        model = make_model(MR, T2)
        with pytest.raises(MisfitError, match="^The volume is CT by its voxels, but the model fake takes MR"):
            translate_volume(tissue_ct(), model, runner=Fake())
        forced = translate_volume(tissue_ct(), model, runner=Fake(), force=True)
        assert forced.warnings == [f"Translated nevertheless, as was asked for: {forced.misfit.refusal}"]

    def test_mr_for_a_ct_model(self):
        assert self.warnings(brain(5), CT) == ["The volume has no negative values; the model expects CT in HU."]

    def test_a_header_that_states_the_modality_is_believed(self):
        assert self.warnings(replace(brain(5), metadata={"Modality": "CT"}), CT) == []
        # Some MR reconstructions have negative values.
        volume = brain(5)
        odd = replace(volume, array=volume.array.astype(np.float32) - 700, metadata={"Modality": "MR"})
        assert self.warnings(odd, MR) == []

    def test_a_header_that_the_voxels_contradict_is_believed_and_that_is_said(self):
        odd = replace(tissue_ct(), metadata={"Modality": "MR"})
        assert self.warnings(odd, MR) == ["It is MR by its header, but looks like CT."]

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
