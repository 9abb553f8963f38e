"""Searching styles, and leaving those that fit the input."""


def listed(widget):
    combo = widget.ui.styleComboBox
    return [combo.itemData(index) for index in range(combo.count)]


def test_search_and_fit(slicer_app, scene, ready):
    widget = ready()
    ui = widget.ui
    assert listed(widget) == ["tiny", "tiny-colour", "tiny-one-way", "tiny-torn", "look:"]
    ui.styleSearchLineEdit.text = "one way"
    assert listed(widget) == ["tiny", "tiny-one-way"], "what is selected is always listed"
    ui.styleSearchLineEdit.text = ""
    ui.styleFitsCheckBox.checked = True
    assert listed(widget) == ["tiny", "tiny-one-way", "look:"]
    widget._parameterNode.inputVolume.SetName("Head T2")
    widget.panel.update()
    assert listed(widget) == ["tiny", "look:"], "the other one starts with T1w only"
    ui.styleFitsCheckBox.checked = False
    assert len(listed(widget)) == 5 and widget._parameterNode.model == "tiny"
