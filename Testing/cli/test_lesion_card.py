"""What the README of a model says of lesions."""

from tiny_models import make_tiny_model

from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.lesion_summary import LesionSummary
from training_cli.lesion_card import lesion_parts

SUMMARY = LesionSummary(
    patients="check patients",
    volumes=3,
    kept=4,
    weakened=5,
    lost=6,
    contrast_kept=0.5,
    invented_per_100_ml=0.25,
    source_difference=-0.27,
    smallest_mm=None,
    implanted=[{"diameter_mm": 20.0, "trials": 4, "survived": 1}],
)


def test_nothing_is_said_where_nothing_was_measured(tmp_path):
    assert lesion_parts(read_card(make_tiny_model(tmp_path))) == []


def test_a_row_a_direction(tmp_path):
    card = read_card(make_tiny_model(tmp_path))
    known = SUMMARY.model_copy(update={"smallest_mm": 4.0, "contrast_kept": None})
    text = "\n".join(lesion_parts(card.model_copy(update={"lesions": {"forward": SUMMARY, "backward": known}})))
    assert "| T1w to T2w | 4 | 5 | 6 | 50% | 0.25 | none up to 20 mm |" in text
    assert "| T2w to T1w | 4 | 5 | 6 | - | 0.25 | 4 mm |" in text
    assert "check patients (3 volumes)" in text and "lesions.png" in text
