from __future__ import annotations

import json

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.harmonise.look import load_look, look_of
from surgical_style_engine.volumes.tissues.landmarks import Landmarks


def landmarks(levels):
    return Landmarks(0.0, np.array(levels, float), np.ones(3), np.full(3, 1 / 3))


def test_a_scan_in_other_units_counts_as_much_as_the_others():
    look = look_of(
        [landmarks([250, 600, 800]), landmarks([2500, 6000, 8000]), landmarks([260, 610, 810])], "T1w", "site"
    )
    assert look.levels[:2] / look.levels[2] == pytest.approx([0.3125, 0.75], rel=0.03)
    assert look.levels[2] == 810, "the median scan's white matter"


def test_a_look_is_read_as_it_was_saved(tmp_path):
    look = look_of([landmarks([200, 250, 460])], "T2w", "site 3")
    look.save(tmp_path / "a.look.json")
    again = load_look(tmp_path / "a.look.json")
    assert (again.kind, again.name, again.volumes) == ("T2w", "site 3", 1)
    assert again.levels.tolist() == look.levels.tolist() == pytest.approx([200, 250, 460])
    assert again.tissues == ("white matter", "grey matter", "CSF")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "CT"}, "no look"),
        ({"levels": {"white matter": 1}}, "no look"),
        ({"levels": {"white matter": 3, "grey matter": 2, "CSF": 4}}, "no ascending"),
        ({"levels": {"white matter": "NaN", "grey matter": 2, "CSF": 4}}, "no ascending"),
        ({"schema": 9}, "later version"),
    ],
)
def test_what_is_no_look_is_told(tmp_path, change, sentence):
    path = tmp_path / "a.look.json"
    look_of([landmarks([200, 250, 460])], "T2w", "site").save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=sentence):
        load_look(path)


def test_a_file_that_is_not_json_is_no_look(tmp_path):
    (tmp_path / "a.look.json").write_text("[")
    with pytest.raises(InputError, match="no look"):
        load_look(tmp_path / "a.look.json")
