"""Which domain of a model for many an image belongs to."""

import numpy as np
import pytest
from tiny_models import head, make_tiny_many

from surgical_style_engine.app.several.recognised import domain_of
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import read_card
from surgical_style_engine.volumes.recognise.verdict import Verdict
from surgical_style_engine.volumes.volume import Volume


def test_by_what_is_known_of_it(tmp_path):
    card = read_card(make_tiny_many(tmp_path))

    def of(name, **metadata):
        return domain_of(card, Volume(head()[None], (2.0, 2.0, 4.0), metadata=metadata, name=name), name)

    domain, sentence = of("p1_T1.nii.gz")
    assert domain == "T1w" and "the name 'p1_T1.nii.gz'" in sentence
    assert of("p1.nii.gz", Modality="CT")[0] == ""
    with pytest.raises(InputError, match="x.nii.gz"):
        domain_of(card, Volume(np.full((1, 2, 3, 4), np.nan), name="x.nii.gz"), "x.nii.gz")


def test_what_name_and_voxels_disagree_about_is_not_guessed(tmp_path):
    card = read_card(make_tiny_many(tmp_path))
    volume = Volume(head()[None], (2.0, 2.0, 4.0), metadata={"Modality": "MR", "EchoTime": "100"}, name="p1_T1.nii.gz")
    verdict = Verdict("FLAIR", ("its voxels",), "MR", False, False, True, "", "It is FLAIR, but T1w by the name.", None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("surgical_style_engine.app.several.recognised.recognise", lambda volume: verdict)
        assert domain_of(card, volume, "p1_T1.nii.gz") == ("", "It is FLAIR, but T1w by the name.")
