"""Implanted lesions: where they go, what they look like, and which survive."""

from itertools import combinations

import numpy as np
import pytest
from lesion_phantom import phantom, smooth

from surgical_style_engine.metrics.lesions.implants import (
    Implant,
    Trial,
    choose_places,
    implanted,
    smallest_surviving,
    survival,
    trials,
)

PHANTOM = phantom(lesions=())
ONE = (1.0, 1.0, 1.0)
DIAMETERS = (2.0, 4.0, 8.0)
PLACES = [Implant((34, 22, 20), 8.0), Implant((34, 36, 20), 4.0), Implant((34, 28, 34), 2.0)]


def test_places_are_deep_apart_and_the_same_again():
    labels = np.zeros(PHANTOM.region.shape, bool)
    labels[20:24, 26:30, 24:28] = True
    places = choose_places(PHANTOM.source, PHANTOM.region, ONE, labels, DIAMETERS)
    assert places == choose_places(PHANTOM.source, PHANTOM.region, ONE, labels, DIAMETERS)
    assert places and [place.diameter_mm for place in places] == sorted((p.diameter_mm for p in places), reverse=True)
    for place in places:
        assert PHANTOM.region[place.centre]
        nearest = np.linalg.norm(np.argwhere(labels) - place.centre, axis=1).min()
        assert nearest > place.diameter_mm / 2 + 4
    for first, second in combinations(places, 2):
        gap = np.linalg.norm(np.subtract(first.centre, second.centre))
        assert gap > (first.diameter_mm + second.diameter_mm) / 2 + 12


def test_an_empty_brain_has_no_place():
    assert choose_places(PHANTOM.source, np.zeros(PHANTOM.region.shape, bool), ONE) == []


def test_texture_stays_below_an_implant():
    result = implanted(PHANTOM.source, PLACES, ONE, -0.3)
    change = result - PHANTOM.source
    assert change[PLACES[0].centre] == pytest.approx(-0.3, abs=1e-6)
    assert change.min() >= -0.3 - 1e-6 and change.max() <= 1e-6
    volume = -change[27:42, 14:31, 12:29].sum() / 0.3
    assert (6 * volume / np.pi) ** (1 / 3) == pytest.approx(8, abs=0.4)


def invert(image):
    return -image


def test_an_inverting_translator_keeps_every_visible_implant():
    results = trials(PHANTOM.source, invert, PLACES, PHANTOM.region, ONE, -0.4)
    assert [trial.diameter_mm for trial in results] == [8.0, 4.0, 2.0]
    assert all(trial.cnr == pytest.approx(trial.source_cnr, rel=1e-4) for trial in results)
    assert smallest_surviving(survival(results)) == 2.0


def test_the_wrong_way_round_is_lost():
    results = trials(PHANTOM.source, invert, PLACES, PHANTOM.region, ONE, -0.4, "dark")
    assert smallest_surviving(survival(results)) is None


def test_a_translator_that_blurs_loses_the_small_ones():
    def blur(image):
        return -smooth(image, 1.0)

    rows = survival(trials(PHANTOM.source, blur, PLACES, PHANTOM.region, ONE, -0.4))
    assert smallest_surviving(rows) == 8.0
    assert rows[0]["cnr"] < rows[1]["cnr"] < rows[2]["cnr"] and rows[0]["survived"] == 0


def test_what_the_source_does_not_show_does_not_count():
    results = [Trial(5.0, 0.5, 3.0), Trial(5.0, 2.0, 3.0), Trial(5.0, 2.0, 0.2)]
    assert survival(results) == [{"diameter_mm": 5.0, "trials": 2, "survived": 1, "source_cnr": 2.0, "cnr": 1.6}]
    assert smallest_surviving([]) is None
