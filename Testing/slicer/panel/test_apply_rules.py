"""When Apply may be pressed, and why not."""

from pathlib import Path

import numpy as np

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_every_rule_of_apply_has_its_reason(scene, slicer_app, open_panel, volume):
    widget = open_panel()
    ui, parameters = widget.ui, widget._parameterNode

    def reason():
        assert not ui.applyButton.enabled
        return ui.applyButton.toolTip

    assert reason() == "Select an input volume."
    parameters.inputVolume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    assert reason() == "The input volume is empty."
    node = volume()
    parameters.inputVolume = node
    assert ui.applyButton.enabled and ui.applyButton.toolTip == "Apply the style to the input volume."
    parameters.model = "tiny-torn"
    assert "damaged" in reason() and "(unusable)" in ui.styleComboBox.currentText
    parameters.model = "elsewhere"
    assert reason() == "Select a style." and "not on this machine" in ui.styleComboBox.currentText
    parameters.model = "tiny-colour"
    assert reason() == "The style takes colour volumes; the input is greyscale."
    photo = volume("Photo", array=np.zeros((1, 8, 8, 3), np.uint8), class_name="vtkMRMLVectorVolumeNode")
    parameters.inputVolume = photo
    assert ui.applyButton.enabled
    parameters.model = "tiny"
    assert reason() == "The style takes greyscale volumes; the input is in colour."
    two = volume("Two", array=np.zeros((2, 8, 8, 2), np.float32), class_name="vtkMRMLVectorVolumeNode")
    parameters.inputVolume = two
    assert "has 2 components" in reason()
    parameters.inputVolume = node
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg")
    parameters.region = segmentation
    assert reason() == "Select a segment as the region, or choose the whole volume."
    parameters.region = None
    parameters.outputVolume = node
    assert "is the input itself" in reason()
    parameters.outputVolume = photo
    assert "of another kind" in reason()
    parameters.outputVolume = None
    assert ui.applyButton.enabled


def test_without_any_style_it_says_where_to_get_one(open_panel, volume, tmp_path):
    widget = open_panel(folder=tmp_path)
    widget._parameterNode.inputVolume = volume()
    assert not widget.ui.applyButton.enabled
    assert widget.ui.applyButton.toolTip == "There is no style yet. Import one under Style."
    assert "No style yet" in widget.ui.styleComboBox.currentText
