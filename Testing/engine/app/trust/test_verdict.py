"""The verdict in words: which colour for which reason, and what stands beside it."""

import json

import numpy as np
import pytest
from tiny_calibrations import direction_calibration

from surgical_style_engine.app.report import plain
from surgical_style_engine.app.trust.error_bound import ErrorBound
from surgical_style_engine.app.trust.verdict import verdict_line, verdict_of
from surgical_style_engine.models.calibration import Coverage, Range
from surgical_style_engine.volumes.volume import Volume

RANGES = {
    "psnr": Range(low=16, high=20),
    "mean_bound": Range(low=0.1, high=0.2),
    "untrusted_share": Range(low=0.0, high=0.2),
    "semantic_consistency": Range(low=0.5, high=0.7),
}
QUALITY = {"semantic_consistency": 0.6, "semantic_consistency_method": "self-similarity", "reference": None}


def bound(mean=60.0, untrusted=0.1, psnr=(18.0, 16.0, 20.0), units=""):
    volume = Volume(np.ones((1, 2, 2, 2), np.float32))
    return ErrorBound(volume, 200.0, mean, untrusted, psnr, 0.9, units, "quick")


def verdict(quality=QUALITY, doubts=(), known=None, its=None, why=""):
    return verdict_of(quality, list(doubts), known or direction_calibration(ranges=RANGES, uninformed=0.5), its, why)


def test_within_all_ranges_is_green():
    said = verdict(its=bound())
    assert said.level == "green" and said.calibrated and said.reasons == []
    assert "±60" in said.sentence and "nine of ten" in said.sentence
    assert [each.key for each in said.compared] == [
        "expected_psnr",
        "mean_bound",
        "untrusted_share",
        "semantic_consistency",
    ]
    assert said.compared[0].text() == "18 ± 2 dB (left-out patients 16 to 20)"
    # The ranges are normalised, the bound is in units: 200 of these are 0.5.
    assert (said.compared[1].low, said.compared[1].high) == (40, 80)
    assert said.compared[2].text() == "10 % (left-out patients 0 to 20)"
    assert said.left_out == {"patients": 12, "hospitals": 6, "tumour": None, "psnr": {"low": 16, "high": 20}}


def test_half_a_body_without_information_is_amber_where_left_out_patients_had_it_too():
    known = direction_calibration(ranges={**RANGES, "untrusted_share": Range(low=0.1, high=0.7)}, uninformed=0.5)
    said = verdict(its=bound(untrusted=0.6), known=known)
    assert said.level == "amber" and said.sentence == "With care. 60% of the body tell no more than one grey would."
    assert verdict(its=bound(untrusted=0.75), known=known).level == "red"


@pytest.mark.parametrize(
    ("mean", "worst", "told"),
    [
        (0.78, 0.1, " Not within tumours: there 78% of the voxels lay within it, in the worst patient 10%."),
        (0.9, 0.2, " Tumours may be missed: 90% of their voxels lay within it, but in the worst patient 20%."),
        (0.9, 0.6, ""),
    ],
)
def test_green_says_where_the_bound_does_not_hold_in_tumours(mean, worst, told):
    coverage = {"tumour": Coverage(patients=9, mean=mean, deviation=0.2, worst=worst)}
    said = verdict(known=direction_calibration(ranges=RANGES, uninformed=0.5, coverage=coverage), its=bound())
    assert said.level == "green"
    assert said.sentence.endswith(f"of the real image on average.{told}")


@pytest.mark.parametrize(
    ("its", "quality", "level", "reason"),
    [
        (bound(mean=90.0), QUALITY, "amber", "Mean error bound is above"),
        (bound(mean=140.0), QUALITY, "red", "Mean error bound is above"),
        (bound(untrusted=0.25), QUALITY, "amber", "no more than one grey is above"),
        (bound(untrusted=0.6), QUALITY, "red", "60% of the body tell no more"),
        (bound(psnr=(15.0, 13.0, 17.0)), QUALITY, "amber", "Expected PSNR is below"),
        (bound(), {**QUALITY, "semantic_consistency": 0.45}, "amber", "Semantic Consistency is below"),
        (bound(), {**QUALITY, "semantic_consistency": 0.1}, "red", "Semantic Consistency is below"),
        (bound(), {**QUALITY, "semantic_consistency": 0.9}, "green", None),
        (bound(psnr=(25.0, 23.0, 27.0), mean=10.0), QUALITY, "green", None),
    ],
)
def test_outside_on_the_bad_side_is_amber_and_far_outside_red(its, quality, level, reason):
    said = verdict(quality=quality, its=its)
    assert said.level == level
    assert reason is None or reason in said.sentence


def test_an_unusual_input_is_red_whatever_the_numbers_say():
    said = verdict(doubts=["The distribution of intensities differs."], its=bound())
    assert said.level == "red" and said.sentence == "Do not rely on it. The distribution of intensities differs."
    assert verdict_of(QUALITY, ["It differs."], None, None, "Not calibrated.").level == "red"


def test_worse_than_the_input_against_a_reference_is_red():
    paired = {"psnr": 11.0, "floors": {"input": {"psnr": 12.0}, "histogram_matched": {"psnr": 9.0}}}
    said = verdict(quality={**QUALITY, "reference": paired}, its=bound())
    assert said.level == "red" and "12.0 dB" in said.sentence and "11.0 dB" in said.sentence
    paired["psnr"] = 12.5
    assert verdict(quality={**QUALITY, "reference": paired}, its=bound()).level == "green"


def test_without_a_calibration_there_is_no_verdict_and_no_number():
    said = verdict_of(QUALITY, [], None, None, "The style x is not calibrated.")
    assert said.level == "none" and not said.calibrated and said.bound is None and said.compared == []
    assert said.sentence == "No verdict. The style x is not calibrated." == verdict_line(said.entry())
    assert not any(character.isdigit() for character in said.sentence)


def test_dice_is_not_compared_with_self_similarity():
    said = verdict(quality={**QUALITY, "semantic_consistency": 0.1, "semantic_consistency_method": "dice"}, its=bound())
    assert said.level == "green"


def test_the_gravest_reason_comes_first_and_the_entry_is_json():
    said = verdict(quality={**QUALITY, "semantic_consistency": 0.1}, its=bound(mean=90.0, units="HU"))
    assert said.level == "red" and "Semantic" in said.reasons[0] and "Mean error bound" in said.reasons[1]
    entry = json.loads(json.dumps(plain(said.entry())))
    assert entry["compared"][1]["within"] is False and entry["compared"][1]["text"].startswith("90 HU")
    assert entry["bound"]["expected_psnr"] == {"value": 18.0, "low": 16.0, "high": 20.0}
    assert verdict_line(entry).startswith("Red. Do not rely on it.")
