"""The card's entry on lesions: optional, checked, kept."""

import json

from model_folders import change, refusal
from tiny_models import make_tiny_model

from surgical_style_engine.models.archive import import_folder
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.lesion_summary import PICTURE_NAME

ENTRY = {
    "patients": "two patients",
    "volumes": 2,
    "kept": 1,
    "weakened": 2,
    "lost": 3,
    "contrast_kept": 0.4,
    "invented_per_100_ml": 0.1,
    "source_difference": -0.3,
    "smallest_mm": 5.0,
    "implanted": [{"diameter_mm": 5.0, "trials": 4, "survived": 4}],
}


def test_a_card_with_and_without_it(tmp_path):
    folder = make_tiny_model(tmp_path)
    assert read_card(folder).lesions == {}
    values = json.loads((folder / "model.json").read_text())
    del values["lesions"]  # as older versions wrote it
    (folder / "model.json").write_text(json.dumps(values))
    assert read_card(folder).lesions == {}
    change(folder, lesions={"forward": ENTRY})
    assert read_card(folder).lesions["forward"].smallest_mm == 5.0


def test_what_cannot_be_is_refused(tmp_path):
    folder = make_tiny_model(tmp_path)
    more = [{"diameter_mm": 5.0, "trials": 4, "survived": 5}]
    change(folder, lesions={"forward": {**ENTRY, "implanted": more}})
    assert "no more lesions can survive than were tried" in refusal(read_card, folder)
    change(folder, lesions={"sideways": ENTRY})
    assert "lesions" in refusal(read_card, folder)


def test_its_picture_goes_along(tmp_path):
    folder = make_tiny_model(tmp_path)
    (folder / PICTURE_NAME).write_bytes(b"picture")
    imported = import_folder(folder, tmp_path / "models")
    assert (imported / PICTURE_NAME).read_bytes() == b"picture"
