"""Which styles are listed for a search and for a volume."""

import pytest


@pytest.fixture
def filters(slicer_app, module):
    from SurgicalStyleTransferLib.setup import style_filter

    return style_filter


@pytest.fixture
def card(filters):
    from SurgicalStyleTransferLib.setup.model_cards import Card, Side

    def make(source="T1w", target="T2w", channels=1, directions=("forward", "backward"), problem=""):
        sides = [Side(name, "CT" if name == "CT" else "MR", "", channels) for name in (source, target)]
        return Card(
            None,
            f"Brain MR, {source} to {target}",
            False,
            problem,
            source=sides[0],
            target=sides[1],
            directions=directions,
            licence="CC BY 4.0",
        )

    # The name of a card is that of its folder.
    from pathlib import Path

    return lambda **values: __import__("dataclasses").replace(make(**values), folder=Path("/models/brain"))


@pytest.mark.parametrize(
    ("name", "contrast"),
    [
        ("MRBrainT1", "t1"),
        ("patient04_study1_T1W", "t1"),
        ("2: t2_tse_tra", "t2"),
        ("T1w_Gd", "t1gd"),
        ("t1ce", "t1gd"),
        ("FLAIR", "flair"),
        ("T2 FLAIR", "flair"),
        ("CTBrain", "ct"),
        ("Head", ""),
        ("Section 3", ""),
    ],
)
def test_what_a_name_says_of_the_contrast(filters, name, contrast):
    assert filters.contrast_of(name) == contrast


def test_a_search_finds_words_in_any_order(filters, card):
    assert filters.matches(card(), "") and filters.matches(card(), "t2w BRAIN") and filters.matches(card(), "cc by")
    assert not filters.matches(card(), "brain liver")


def test_what_fits_a_volume(filters, card):
    fits = filters.fitting_directions
    assert fits(card(), 1, "MR", "Head T1") == ["forward"] and fits(card(), 1, "", "head_t2") == ["backward"]
    assert fits(card(), 1, "", "Head") == ["forward", "backward"], "where nothing is known, nothing is left out"
    assert fits(card(), 1, "CT", "Head") == [] and fits(card(), 3, "", "Photo") == []
    assert fits(card(channels=3), 4, "", "Photo") == ["forward", "backward"]
    assert fits(card(problem="damaged"), 1, "", "Head") == []
