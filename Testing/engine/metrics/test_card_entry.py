"""What a model card keeps of an evaluation."""

from surgical_style_engine.metrics import registry
from surgical_style_engine.metrics.card_entry import card_entry, card_metrics
from surgical_style_engine.metrics.registry import Metric

QUALITY = {
    "look_ahead_score": 0.0512345,
    "look_ahead_score_raw": 0.04,
    "jigsaw_puzzle_error": None,
    "reference": {
        "psnr": 17.123456,
        "mae": 30.0,
        "ssim": None,
        "floors": {"input": {"psnr": 13.51239, "mae": 90.0}, "histogram_matched": {"psnr": 14.0, "mae": 80.0}},
    },
}


def test_it_is_flat_rounded_and_comparable():
    assert card_entry(QUALITY) == {
        "look_ahead_score": 0.0512,
        "psnr": 17.1235,
        "floors": {"input": {"psnr": 13.5124}, "histogram_matched": {"psnr": 14.0}},
    }
    assert card_entry({}) == {}


def test_a_metric_from_outside_goes_in_unless_its_units_are_the_volumes_own():
    registry.register(Metric("sharpness", "Sharpness", "edges"))
    registry.register(Metric("dose", "Dose", "in arbitrary units", comparable=False))
    try:
        assert card_entry({"sharpness": 2, "dose": 3}) == {"sharpness": 2.0}
        assert "Sharpness" in [metric.title for metric in card_metrics(paired=False)]
    finally:
        registry.unregister("sharpness")
        registry.unregister("dose")
