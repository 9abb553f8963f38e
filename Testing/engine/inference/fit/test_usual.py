"""How unusual a volume is, on features whose distribution is known."""

import json

import numpy as np
import pytest

from surgical_style_engine.inference.fit.usual import unusual_distance, usual_statistics


def patients(count, seed=0, features=40, volumes=3):
    """Features of patients that differ along few directions, with several volumes of each."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(4, features))
    people = random.normal(size=(count, 4)) @ directions
    noise = random.normal(0, 0.3, (count, volumes, features))
    return [row for person, part in zip(people, noise, strict=True) for row in person + part]


def described(count=20, **more):
    names = [f"p{number}" for number in range(count) for _ in range(3)]
    return usual_statistics(patients(count), names, "abc", **more)


def test_ninety_five_of_a_hundred_new_patients_pass():
    statistics = described(60)
    passed = [np.less_equal(*unusual_distance(row, statistics, "abc")) for row in patients(200, seed=1, volumes=1)]
    assert 0.9 <= np.mean(passed) <= 1.0


def test_something_else_is_unusual():
    statistics = described()
    distance, limit = unusual_distance(np.random.default_rng(5).normal(0, 3, 40), statistics, "abc")
    assert distance > 1.5 * limit


def test_a_margin_widens_the_limit():
    assert described(margin=2.0)["limit"] == pytest.approx(2 * described()["limit"], abs=2e-3)


def test_few_patients_say_nothing():
    assert usual_statistics(patients(3), ["a"] * 3 + ["b"] * 3 + ["c"] * 3, "abc") is None


def test_cards_keep_it_as_json():
    statistics = json.loads(json.dumps(described()))
    assert unusual_distance(patients(1)[0], statistics, "abc") is not None


@pytest.mark.parametrize(
    "change",
    [
        {"recogniser": "other"},
        {"limit": -1},
        {"limit": "x"},
        {"mean": "AAA="},
        {"axes": 3},
        {"axes": "!"},
        {"spread": ""},
        {"mean": None},
    ],
)
def test_statistics_of_another_recogniser_or_damaged_ones_are_left_out(change):
    assert unusual_distance(patients(1)[0], {**described(), **change}, "abc") is None
    assert unusual_distance(patients(1)[0], {}, "abc") is None
