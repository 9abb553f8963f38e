"""Lesions found, weakened, lost, unseen and invented, one by one and summed."""

from dataclasses import replace

import numpy as np
import pytest
from lesion_phantom import phantom, smooth, sphere

from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics.lesions.ledger import LedgerCase, lesion_ledger, summed

PHANTOM = phantom()
CASE = LedgerCase(PHANTOM.real, PHANTOM.real, PHANTOM.labels, PHANTOM.region, (1.0, 1.0, 1.0), "T2w")


def translated(part):
    """The real image with this part of its lesions' contrast."""
    return PHANTOM.real - np.float32((1 - part) * 0.6) * PHANTOM.labels


@pytest.mark.parametrize(("part", "state"), [(1.0, "found"), (0.7, "found"), (0.35, "weakened"), (0.0, "lost")])
def test_by_how_much_contrast_is_left(part, state):
    ledger = lesion_ledger(replace(CASE, translation=translated(part)))
    assert ledger[state] == 2 and {entry["state"] for entry in ledger["lesions"]} == {state}
    assert ledger["contrast_kept"] == pytest.approx(part, abs=0.08)
    assert ledger["invented"] == 0 and ledger["polarity"] == "bright"
    classes = {row["from_mm"]: row[state] for row in ledger["by_diameter"]}
    assert classes == {3.0: 0, 5.0: 2, 10.0: 0, 20.0: 0}


def test_an_inverted_lesion_is_lost():
    assert lesion_ledger(replace(CASE, translation=translated(-1.0)))["lost"] == 2


def test_what_the_real_image_does_not_show_is_unseen():
    ledger = lesion_ledger(replace(CASE, real=translated(0.0)))
    assert ledger["unseen"] == 2 and ledger["found"] == 0 and ledger["contrast_kept"] is None


def test_inventions_by_diameter_and_volume():
    spot = np.clip(PHANTOM.real + 0.9 * smooth(sphere((34, 26, 28), 7), 0.7), -1, 1)
    ledger = lesion_ledger(replace(CASE, translation=spot))
    assert ledger["invented"] == 1 and ledger["by_diameter"][1]["invented"] == 1
    assert ledger["region_ml"] == pytest.approx(PHANTOM.region.sum() / 1000, abs=0.05)
    assert ledger["invented_per_100_ml"] == pytest.approx(100 / ledger["region_ml"], rel=1e-2)


def test_a_contrast_that_is_not_known_looks_as_its_lesions_do():
    dark = replace(CASE, translation=PHANTOM.source, real=PHANTOM.source, target="swi")
    assert lesion_ledger(dark)["polarity"] == "dark"
    assert lesion_ledger(replace(dark, target="T1w"))["polarity"] == "dark"


def test_sums_over_volumes():
    first, second = (lesion_ledger(replace(CASE, translation=translated(part))) for part in (1.0, 0.0))
    total = summed([first, second])
    assert (total["volumes"], total["found"], total["lost"]) == (2, 2, 2)
    assert total["region_ml"] == pytest.approx(2 * first["region_ml"])
    assert "lesions" not in total


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"labels": np.zeros(PHANTOM.region.shape)}, "no lesion"),
        ({"labels": PHANTOM.labels[1:]}, "one grid"),
        ({"region": np.zeros(PHANTOM.region.shape, bool)}, "no region"),
    ],
)
def test_what_cannot_be_accounted_for(change, sentence):
    with pytest.raises(InputError, match=sentence):
        lesion_ledger(replace(CASE, **change))
