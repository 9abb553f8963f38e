"""What the panel says of lesions, from cards that may come from anybody."""

import pytest

ROWS = [{"diameter_mm": 2.0}, {"diameter_mm": 20.0}]
ENTRY = {"implanted": ROWS, "smallest_mm": 5.0, "kept": 3, "weakened": 1, "lost": 2, "invented_per_100_ml": 0.25}


@pytest.fixture
def lesion_text(slicer_app, module):
    from SurgicalStyleTransferLib.setup.lesion_text import lesion_text

    return lesion_text


@pytest.mark.parametrize(
    ("smallest", "sentence"),
    [
        (5.0, "Lesions under 5 mm may vanish."),
        (None, "Lesions of any size tried (up to 20 mm) may vanish."),
        (2.0, "Lesions of 2 mm and more that the input shows were kept 9 times of 10."),
    ],
)
def test_how_small_a_lesion_may_be(lesion_text, smallest, sentence):
    text = lesion_text({"forward": {**ENTRY, "smallest_mm": smallest}}, "forward")
    assert text == f"{sentence} Of 6 real lesions 2 were lost; 0.25 spots per 100 ml were invented."


def test_no_real_and_no_implanted_lesions(lesion_text):
    none = {**ENTRY, "implanted": [], "kept": 0, "weakened": 0, "lost": 0}
    assert lesion_text({"forward": none}, "forward") == "0.25 spots per 100 ml were invented."


@pytest.mark.parametrize("entries", [{}, {"backward": ENTRY}, {"forward": {}}, {"forward": 3}, None, {"forward": None}])
def test_a_card_that_says_nothing_or_nonsense(lesion_text, entries):
    assert lesion_text(entries, "forward") == ""
