"""What the panel reads of the card of a model for many domains; other cards are read by all of its tests."""

import pytest
from tiny_models import make_tiny_many


@pytest.fixture
def card(slicer_app, module, tmp_path):
    from SurgicalStyleTransferLib.setup import model_cards

    return model_cards.read(make_tiny_many(tmp_path))


def test_routes_are_directions(card):
    from SurgicalStyleTransferLib.setup import model_cards

    assert card.problem == "" and len(card.directions) == 6 and card.runs_in_openvino
    assert (card.starts_in("FLAIR>T2w").name, card.ends_in("FLAIR>T2w").name) == ("FLAIR", "T2w")
    assert card.starts_in("T1w+FLAIR>T2w").name == "T1w"
    assert "T1w (MR)" in model_cards.describe(card, "T1w>T2w")
    # A scene that was made with a style of two domains asks for its direction.
    assert card.starts_in("forward").name == "T1w"


def test_it_is_listed_for_what_it_takes(card):
    from SurgicalStyleTransferLib.setup import style_filter

    assert style_filter.fitting_directions(card, 1, "MR", "p1_FLAIR") == ["FLAIR>T1w", "FLAIR>T2w"]
    assert style_filter.fitting_directions(card, 1, "CT", "head") == []
    assert style_filter.matches(card, "flair any") and not style_filter.matches(card, "ct")
