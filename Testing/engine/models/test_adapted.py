"""What a card says of an adaptation, in words; what is not this program's says nothing."""

import pytest

from surgical_style_engine.models.adapted import Adapted, adapted_of
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.names import shipped_models_folder

FIGURES = {"psnr": 17.0, "ssim": 0.6}
ENTRY = {
    "style": "base",
    "sha256": "0" * 64,
    "pairs": 1,
    "volumes": 0,
    "slices": 38,
    "minutes": 10.0,
    "directions": ["forward"],
    "aside": {
        way: {
            "kind": "slices",
            "slices": 12,
            "gap": 2,
            "same_patient": True,
            "original": FIGURES,
            "adapted": {"psnr": 18.25, "ssim": 0.65},
        }
        for way in ("forward", "backward")
    },
}


@pytest.fixture(scope="module")
def card():
    return read_card(shipped_models_folder() / "brain-mr-t1w-t2w")


def test_both_figures_the_same_patient_and_what_was_kept_are_told(card):
    adapted = adapted_of(card.model_copy(update={"training": {"adapted": ENTRY}}))
    assert "38 slices of one registered pair of a user's" in adapted.sentence
    assert "proven on slices of the same patient alone" in adapted.sentence and "not calibrated" in adapted.sentence
    told = adapted.description
    assert "psnr 18.25 (before 17)" in told and "with a gap of 2 slices" in told and "10.0 minutes" in told
    assert told.count("Not better: this direction keeps its weights.") == 1
    several = Adapted.model_validate(ENTRY | {"pairs": 3})
    assert "three registered pairs" in several.learned
    assert "two volumes of a user's" in Adapted.model_validate(ENTRY | {"pairs": 0, "volumes": 2}).learned


@pytest.mark.parametrize("entry", ["text", {}, ENTRY | {"slices": -1}, ENTRY | {"unknown": 1}, None])
def test_what_is_no_such_entry_says_nothing(card, entry):
    assert adapted_of(card.model_copy(update={"training": {"adapted": entry}})) is None
    assert adapted_of(card) is None
