"""The panel as a whole: it fits where Slicer puts it, in the order in which it is used, and is not alone."""

from worker_commands import SLOW_WORKER

NARROWEST = 350  # px of Slicer's module panel


def target(widget):
    """The panel as PySide6 knows it."""
    return widget.parent._target


def test_it_fits_into_a_narrow_panel_in_every_state(slicer_app, done, sequence):
    """Every section open, with a result, a long name, and all that is shown now and then."""
    widget = done()
    ui = widget.ui
    widget._parameterNode.inputVolume.SetName("A volume whose name is much longer than any panel is wide, as they are")
    sections = [name for name in dir(ui) if name.endswith("CollapsibleButton")]
    assert len(sections) >= 7
    for name in sections:
        getattr(ui, name).collapsed = False
    hidden = "emptyFrame framesComboBox segmentComboBox lookFrame routeFrame fasterButton worstList fusionFiguresTable"
    for name in hidden.split():
        getattr(ui, name).visible = True
    ui.cardButton.checked = True
    slicer_app.app.processEvents()
    panel = target(widget)
    assert panel.minimumSizeHint().width() <= NARROWEST
    panel.resize(NARROWEST, 4000)
    panel.show()
    slicer_app.app.processEvents()
    assert panel.width() == NARROWEST
    from PySide6 import QtCore, QtWidgets

    for child in panel.findChildren(QtWidgets.QWidget):
        if child.isVisible() and child.objectName().endswith(("Button", "Selector", "ComboBox", "SpinBox", "Slider")):
            right = child.mapTo(panel, QtCore.QPoint(child.width(), 0)).x()
            assert right <= NARROWEST, child.objectName()


def test_the_first_screen_is_input_style_output_apply_and_compare(slicer_app, ready):
    widget = ready()
    panel, ui = target(widget), widget.ui
    panel.resize(480, 2000)
    panel.show()
    slicer_app.app.processEvents()
    names = "inputSelector", "styleComboBox", "outputSelector", "applyButton", "sidesButton", "guardSpinBox"
    names = *names, "fusionButton", "deviceComboBox"
    from PySide6 import QtCore

    tops = [getattr(ui, name)._target.mapTo(panel, QtCore.QPoint(0, 0)).y() for name in names]
    assert tops == sorted(tops), dict(zip(names, tops, strict=True))
    assert tops[3] < 620, "Apply is below what a laptop shows"
    closed = ("qualityCollapsibleButton", "adjustCollapsibleButton", "fusionCollapsibleButton")
    assert all(getattr(ui, name).collapsed for name in (*closed, "advancedCollapsibleButton"))


def test_labels_belong_to_their_fields(open_panel):
    """So that a screen reader says what a field is, and Alt with a letter goes there."""
    from PySide6 import QtWidgets

    opened = open_panel()
    labels = {label.objectName(): label.buddy() for label in target(opened).findChildren(QtWidgets.QLabel)}
    for name, field in (("inputLabel", "inputSelector"), ("strengthLabel", "strengthSlider")):
        assert labels[name].objectName() == field
    kinds = (QtWidgets.QComboBox, QtWidgets.QAbstractSpinBox, QtWidgets.QLineEdit)
    of_labels = {buddy for buddy in labels.values() if buddy is not None}
    alone = {
        field.objectName() or field.parent().objectName()
        for field in target(opened).findChildren(QtWidgets.QWidget)
        if isinstance(field, kinds) and not of_labels & {field, field.parent()}
    }
    # Its placeholder says what the line is for; a spin box has a line of its own, a table's have the column's heading.
    assert alone - {"qt_spinbox_lineedit", "qt_scrollarea_viewport"} == {"styleSearchLineEdit"}


def test_a_second_widget_knows_the_run_of_the_first(ready, open_panel, until):
    first = ready(SLOW_WORKER, batchSize=1)
    second = open_panel()
    assert second.logic.engine is first.logic.engine
    first.ui.applyButton.click()
    until(lambda: "Slice " in second.ui.statusLabel.text, "progress in the second widget")
    assert second.ui.applyButton.text == "Cancel" and not second.ui.progressBar.isHidden()
    second.ui.applyButton.click()
    until(lambda: first.logic.engine.style_job is None, "the end after Cancel")
    until(lambda: second.ui.applyButton.text == "Apply", "the second widget")
    assert second.ui.progressBar.isHidden() and first.ui.statusLabel.text == "Cancelled. The scene is as it was."
    second.cleanup()
    assert first.logic.engine.client.running, "the first one still needs it"
    first.ui.applyButton.click()
    until(lambda: first.logic.engine.style_job is None, "the end of the run")
    assert first._parameterNode.resultVolume is not None


def test_closing_the_widget_that_did_not_start_a_run_leaves_it(ready, open_panel, until):
    first = ready(SLOW_WORKER, batchSize=1)
    second = open_panel()
    first.ui.applyButton.click()
    until(lambda: first.ui.progressBar.value > 0, "progress")
    second.cleanup()
    until(lambda: first.logic.engine.style_job is None, "the end of the run")
    assert first._parameterNode.resultVolume is not None


def test_labels_that_show_what_files_say_take_it_as_plain_text(open_panel):
    """A volume or style called "<img src=...>" is shown so; only the card is rich text, which escapes what it shows."""
    from PySide6 import QtWidgets
    from PySide6.QtCore import Qt

    labels = {label.objectName(): label for label in target(open_panel()).findChildren(QtWidgets.QLabel)}
    shown = "statusLabel reasonLabel warningLabel verdictLabel verdictNumbersLabel judgedLabel probeLabel"
    shown = f"{shown} batchStatusLabel fusionStatusLabel previewMessageLabel adjustNoteLabel workerStateLabel"
    assert {name: labels[name].textFormat() for name in shown.split()} == dict.fromkeys(
        shown.split(), Qt.TextFormat.PlainText
    )
    automatic = {name for name, label in labels.items() if label.textFormat() == Qt.TextFormat.AutoText}
    fixed = {name for name in automatic if labels[name].text()}
    assert automatic == fixed, "a label without a text of its own says how it takes one"
    assert labels["cardLabel"].textFormat() == Qt.TextFormat.RichText
