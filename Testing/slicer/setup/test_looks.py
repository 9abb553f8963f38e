"""Looks as the panel's list of styles has them."""

import json

import pytest


@pytest.fixture
def looks(slicer_app):
    from SurgicalStyleTransferLib.setup import looks

    return looks


def test_keys_and_titles(looks, tmp_path):
    key = looks.key_of(tmp_path / "site3.look.json")
    assert looks.is_key(key) and looks.is_key(looks.KEY) and not looks.is_key("brain-mr-t1w-t2w")
    assert looks.path_of(key) == str(tmp_path / "site3.look.json") and looks.path_of(looks.KEY) == ""
    assert looks.title_of(key) == "Look of site3" and looks.title_of(looks.KEY) == "Look of a volume or folder..."
    assert looks.title_of(looks.KEY, "MRHead") == "Look of MRHead"


def test_files_of_looks_have_names_that_every_system_takes(looks):
    assert looks.file_name("3: T1/MPRAGE") == "3- T1-MPRAGE" and looks.file_name("...") == "look"
    for path in ("a", "a.json", "a.look", "a.look.json"):
        assert looks.with_ending(path) == "a.look.json"


def test_saved_looks_are_listed_and_read(looks, tmp_path):
    levels = {"CSF": 130.0, "grey matter": 250.0, "white matter": 330.0}
    entry = {"schema": 1, "kind": "T1w", "levels": levels, "volumes": 3, "name": "site3"}
    (tmp_path / "b.look.json").write_text(json.dumps(entry))
    (tmp_path / "a.look.json").write_text('{"kind": "T1w"}')
    (tmp_path / "model").mkdir()
    assert looks.saved_in(tmp_path / "nowhere") == []
    torn, whole = (looks.card_of(key) for key in looks.saved_in(tmp_path))
    assert "holds no look" in torn.problem and looks.describe(torn) == torn.problem
    assert whole.is_look and whole.is_saved and not whole.problem and whole.goes("forward")
    assert whole.ends_in("forward").name == "T1w in the look of site3" and whole.name.startswith(looks.KEY)
    assert "CSF 130, grey matter 250, white matter 330 (median of 3 scans)" in looks.describe(whole)
    assert "is not on this computer" in looks.card_of(looks.key_of(tmp_path / "gone")).problem
    assert "Select the volume" in looks.card_of(looks.KEY).problem
