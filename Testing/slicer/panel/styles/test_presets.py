"""Fast and careful."""


def shown(widget):
    return widget.ui.presetComboBox.currentData


def test_presets_set_what_is_under_advanced(slicer_app, ready):
    widget = ready()
    ui, parameters = widget.ui, widget._parameterNode
    assert shown(widget) == "fast" and ui.presetComboBox.count == 2
    ui.presetComboBox.currentIndex = ui.presetComboBox.findData("careful")
    assert (parameters.plane, parameters.ensemble, parameters.precision) == ("all", True, "fp32")
    assert ui.planeComboBox.currentData == "all" and ui.ensembleCheckBox.checked
    parameters.plane = "coronal"
    assert shown(widget) == "own" and "Advanced" in ui.presetComboBox.currentText
    ui.presetComboBox.currentIndex = ui.presetComboBox.findData("fast")
    assert (parameters.plane, parameters.ensemble, parameters.precision) == ("", False, "auto")
    assert ui.presetComboBox.count == 2
