"""The verdict line: its words, its fold, the gravest frame of a sequence, and grey when out of date."""

from types import SimpleNamespace

ENTRY = {
    "level": "green",
    "sentence": "As on patients that the model had not seen.",
    "reasons": [],
    "compared": [{"title": "Expected PSNR", "text": "18 ± 2 dB (left-out patients 16 to 20)"}],
    "left_out": {"patients": 13, "hospitals": 8},
}


def judged(**metrics):
    return SimpleNamespace(metrics=metrics)


def test_it_says_what_the_engine_says_and_folds_the_numbers(open_panel):
    widget = open_panel()
    ui, line = widget.ui, widget.panel.quality._line
    assert ui.verdictLabel.isHidden() and ui.verdictCollapsibleButton.isHidden()
    line.fill(judged(verdict=ENTRY))
    assert ui.verdictLabel.text == "Green: As on patients that the model had not seen."
    assert not ui.verdictLabel.isHidden()
    assert ui.verdictCollapsibleButton.collapsed and not ui.verdictCollapsibleButton.isHidden()
    numbers = ui.verdictNumbersLabel.text
    assert "Expected PSNR: 18 ± 2 dB" in numbers and "13 patients of 8 hospitals" in numbers
    line.mark_stale(True)
    assert not ui.verdictLabel.enabled
    line.fill(None)
    assert ui.verdictLabel.isHidden()


def test_without_a_calibration_it_says_so_without_a_number(open_panel):
    widget = open_panel()
    sentence = "No verdict. The style tiny is not calibrated."
    none = {"level": "none", "sentence": sentence, "reasons": [sentence], "compared": [], "left_out": None}
    widget.panel.quality._line.fill(judged(verdict=none))
    assert widget.ui.verdictLabel.text == sentence and widget.ui.verdictCollapsibleButton.isHidden()


def test_a_sequence_has_the_verdict_of_its_worst_frame(open_panel):
    widget = open_panel()
    red = {**ENTRY, "level": "red", "sentence": "Do not rely on it."}
    widget.panel.quality._line.fill(judged(frames=[{"verdict": ENTRY}, {"verdict": red}, {}], verdict=ENTRY))
    assert widget.ui.verdictLabel.text == "Red: Do not rely on it."
