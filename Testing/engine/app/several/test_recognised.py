"""Which domain of a model for many an image belongs to."""

import numpy as np
import pytest
from tiny_models import head, make_tiny_many

from surgical_style_engine.app.several.recognised import domain_of
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import read_card
from surgical_style_engine.volumes.volume import Volume


def test_by_what_is_known_of_it(tmp_path):
    card = read_card(make_tiny_many(tmp_path))

    def of(name, **metadata):
        return domain_of(card, Volume(head()[None], (2.0, 2.0, 4.0), metadata=metadata, name=name), name)

    assert of("p1_FLAIR.nii.gz")[0] == "FLAIR" and "the name 'p1_FLAIR.nii.gz'" in of("p1_FLAIR.nii.gz")[1]
    assert of("p1.nii.gz", Modality="CT")[0] == ""
    with pytest.raises(InputError, match="x.nii.gz"):
        domain_of(card, Volume(np.full((1, 2, 3, 4), np.nan), name="x.nii.gz"), "x.nii.gz")
