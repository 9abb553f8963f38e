"""The optional file of a model's errors: read, refused, and not mistaken for that of other weights."""

import json

import pytest
from tiny_calibrations import calibrate, constant_model, direction_calibration
from tiny_models import make_tiny_model

from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics.uncertainty.features import QUICK_FEATURES
from surgical_style_engine.models.calibration import CALIBRATION_NAME, Layer, read_calibration
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.names import shipped_models_folder

COUNT = len(QUICK_FEATURES)


def test_what_is_written_is_read(tmp_path):
    folder = calibrate(make_tiny_model(tmp_path), bound=0.2, full=0.1)
    known = read_calibration(folder, read_card(folder))
    assert known.directions == {"forward": direction_calibration(0.2, full=0.1)}
    assert known.directions["forward"].error_model("full") == constant_model(0.1, full=True)
    assert load_model(folder).card.name == "tiny", "the folder is still a whole model"


def test_a_folder_without_one_is_as_before(tmp_path):
    folder = make_tiny_model(tmp_path)
    assert read_calibration(folder, read_card(folder)) is None


def test_one_of_other_weights_does_not_count(tmp_path):
    folder = calibrate(make_tiny_model(tmp_path))
    other = make_tiny_model(tmp_path / "other", seed=3)
    (other / CALIBRATION_NAME).write_bytes((folder / CALIBRATION_NAME).read_bytes())
    assert read_calibration(other, read_card(other)) is None


def test_without_a_full_one_the_quick_one_serves():
    assert direction_calibration(0.2).error_model("full") == constant_model(0.2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda values: "[", "is not valid JSON"),
        (lambda values: json.dumps({**values, "schema_version": 7}), "wrong at 'schema_version'"),
        (lambda values: json.dumps({**values, "more": 1}), "wrong at 'more'"),
    ],
)
def test_what_is_none_is_one_sentence(tmp_path, change, sentence):
    folder = calibrate(make_tiny_model(tmp_path))
    path = folder / CALIBRATION_NAME
    path.write_text(change(json.loads(path.read_text())))
    with pytest.raises(InputError, match=sentence):
        read_calibration(folder, read_card(folder))


@pytest.mark.parametrize(
    "fields",
    [
        {"scale": [0.0] * COUNT},
        {"centre": [0.0]},
        {"factors": [1, 1, 1, 1, 1, 0]},
        {"edges": (1, 0)},
        {"layers": [Layer(weights=[[0.0] * 3], bias=[0.0])]},
        {"layers": [Layer(weights=[[0.0] * COUNT] * 3, bias=[0.0, 0.0, 0.0])]},
    ],
)
def test_networks_that_do_not_fit_are_refused(fields):
    with pytest.raises(ValueError):
        constant_model(**fields)


def test_the_shipped_calibrations_belong_to_their_models():
    folders = [path.parent for path in shipped_models_folder().glob(f"*/{CALIBRATION_NAME}")]
    if not folders:
        pytest.skip("no shipped model is calibrated")
    for folder in folders:
        card = read_card(folder)
        known = read_calibration(folder, card)
        assert known is not None, f"{folder.name}: calibrated for other weights; see docs/trust.md"
        model = load_model(folder)
        for name in known.directions:
            assert model.check_direction(name) == card.measured_as(name) == name
        assert known.data
        for direction in known.directions.values():
            assert abs(direction.coverage["all"].mean - direction.level) <= 0.03
