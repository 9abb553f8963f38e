"""The verdict line: its words, its fold, the gravest frame of a sequence, and grey when out of date."""

from types import SimpleNamespace

ENTRY = {
    "level": "green",
    "sentence": "As on patients that the model had not seen.",
    "reasons": [],
    "compared": [{"title": "Expected PSNR", "text": "18 ± 2 dB (left-out patients 16 to 20)"}],
    "left_out": {"patients": 13, "hospitals": 8, "psnr": {"low": 12.25, "high": 19.0}},
}


def judged(**metrics):
    return SimpleNamespace(metrics=metrics)


def test_it_says_what_the_engine_says_and_folds_the_numbers(open_panel):
    widget = open_panel()
    ui, line = widget.ui, widget.panel.quality._line
    assert ui.verdictLabel.isHidden() and ui.verdictNumbersLabel.isHidden()
    line.fill(judged(verdict=ENTRY))
    assert ui.verdictLabel.text == "Green: As on patients that the model had not seen."
    assert not ui.verdictLabel.isHidden()
    assert not ui.verdictNumbersLabel.isHidden()
    numbers = ui.verdictNumbersLabel.text
    assert "Expected PSNR: 18 ± 2 dB" in numbers and "13 patients of 8 hospitals" in numbers
    assert "Their PSNR was 12.2 to 19.0 dB." in numbers
    line.mark_stale(True)
    assert not ui.verdictLabel.enabled
    assert ui.verdictLabel.text == "Out of date. Green: As on patients that the model had not seen."
    line.mark_stale(False)
    assert ui.verdictLabel.enabled and ui.verdictLabel.text.startswith("Green: ")
    line.fill(None)
    assert ui.verdictLabel.isHidden()


def test_without_a_calibration_it_says_so_without_a_number(open_panel):
    widget = open_panel()
    sentence = "No verdict. The style tiny is not calibrated."
    none = {"level": "none", "sentence": sentence, "reasons": [sentence], "compared": [], "left_out": None}
    widget.panel.quality._line.fill(judged(verdict=none))
    assert widget.ui.verdictLabel.text == sentence and widget.ui.verdictNumbersLabel.isHidden()


def test_a_sequence_has_the_verdict_of_its_worst_frame(open_panel):
    widget = open_panel()
    red = {**ENTRY, "level": "red", "sentence": "Do not rely on it."}
    widget.panel.quality._line.fill(judged(frames=[{"verdict": ENTRY}, {"verdict": red}, {}], verdict=ENTRY))
    assert widget.ui.verdictLabel.text == "Red: Do not rely on it."


def test_it_stands_on_the_first_screen_and_the_numbers_behind_the_fold(slicer_app, open_panel):
    """Between Apply's status and Compare, whether Quality is open or not."""
    widget = open_panel()
    ui, parent = widget.ui, widget.parent._target if hasattr(widget.parent, "_target") else widget.parent
    widget.panel.quality._line.fill(judged(verdict=ENTRY))
    parent.resize(480, 2000)
    parent.show()
    slicer_app.app.processEvents()
    from PySide6 import QtCore

    names = "applyButton", "verdictLabel", "compareCollapsibleButton", "qualityCollapsibleButton"
    tops = [getattr(ui, name)._target.mapTo(parent, QtCore.QPoint(0, 0)).y() for name in names]
    assert tops == sorted(set(tops)), dict(zip(names, tops, strict=True))
    assert ui.qualityCollapsibleButton.collapsed
    quality = ui.qualityCollapsibleButton._target
    assert quality.isAncestorOf(ui.verdictNumbersLabel._target)
    label = ui.verdictLabel._target
    assert not quality.isAncestorOf(label) and label.isVisible()
    # Its bar has the verdict's colour.
    assert label.grab().toImage().pixelColor(3, label.height() // 2).name() == "#2e8b57"
    widget.panel.quality._line.mark_stale(True)
    assert label.grab().toImage().pixelColor(3, label.height() // 2).name() == "#888888"


def test_after_a_run_the_verdict_costs_no_run_of_the_network_and_opens_nothing(done, until):
    """The rest is for those who ask."""
    widget = done(figures="verdict")
    status = widget.ui.statusLabel.text
    assert "slices in" in status
    until(lambda: widget.panel.quality.verdict is not None, "the verdict")
    ui, quality = widget.ui, widget.panel.quality
    metrics = quality.verdict.metrics
    assert metrics["verdict"]["sentence"] and not ui.verdictLabel.isHidden()
    assert metrics["look_ahead_score"] is None and metrics["cycle_slices"] is None and "cycle_note" not in metrics
    assert metrics["semantic_consistency"] > 0 and quality.verdict.error_map is None
    assert ui.qualityCollapsibleButton.collapsed and ui.statusLabel.text == status and ui.progressBar.isHidden()
    ui.computeButton.click()
    assert "Judging" in ui.statusLabel.text
    until(lambda: quality.verdict.metrics is not metrics, "the figures")
    assert quality.verdict.metrics["look_ahead_score"] > 0 and quality.verdict.error_map is not None
    assert quality.verdict.metrics["verdict"] == metrics["verdict"], "it does not rest on the cycle"


def test_a_new_panel_says_the_verdict_alone(module, slicer_app, scene):
    assert module.SurgicalStyleTransferLogic().getParameterNode().figures == "verdict"


def test_with_another_input_or_direction_chosen_it_names_what_it_is_of(done, until, volume):
    """Else a verdict on one volume would be read beside the name of another."""
    widget = done(figures="verdict")
    until(lambda: widget.panel.quality.verdict is not None, "the verdict")
    ui, parameters = widget.ui, widget._parameterNode
    said, source, name = ui.verdictLabel.text, parameters.inputVolume, parameters.resultVolume.GetName()
    parameters.inputVolume = volume("Other", seed=5)
    assert ui.verdictLabel.text.startswith(f"{name}: ") and said in ui.verdictLabel.text
    parameters.inputVolume = source
    assert ui.verdictLabel.text == said
    parameters.direction = "backward"
    assert ui.verdictLabel.text.startswith(f"{name}: ")
    parameters.direction = "forward"
    assert ui.verdictLabel.text == said
