"""Choices in the panel are bound to the parameter node, and kept with the scene."""

from pathlib import Path

import numpy as np
import pytest

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"

BOUND = {
    "strength": ("strengthSlider", "value", 0.25),
    "fade": ("fadeSlider", "value", 0.75),
    "batchSize": ("batchSpinBox", "value", 7),
    "showErrorMap": ("mapCheckBox", "checked", True),
    "preview": ("previewCheckBox", "checked", True),
}

CHOSEN = {
    "model": ("styleComboBox", "tiny-one-way"),
    "device": ("deviceComboBox", "cpu"),
    "precision": ("precisionComboBox", "bf16"),
    "plane": ("planeComboBox", "all"),
    "figures": ("figuresComboBox", "all"),
    "direction": ("directionComboBox", "backward"),
    "frames": ("framesComboBox", "all"),
    "previewView": ("previewViewComboBox", "Green"),
}


@pytest.mark.parametrize("name", BOUND)
def test_a_bound_widget_and_its_parameter_move_each_other(open_panel, name):
    widget = open_panel()
    widget_name, attribute, value = BOUND[name]
    control, parameters = getattr(widget.ui, widget_name), widget._parameterNode
    before = getattr(parameters, name)
    setattr(control, attribute, value)
    assert getattr(parameters, name) == value != before
    setattr(parameters, name, before)
    assert getattr(control, attribute) == before


@pytest.mark.parametrize("name", CHOSEN)
def test_a_combo_box_and_its_parameter_move_each_other(open_panel, name):
    widget = open_panel()
    combo, value = getattr(widget.ui, CHOSEN[name][0]), CHOSEN[name][1]
    parameters = widget._parameterNode
    before = getattr(parameters, name)
    combo.currentIndex = combo.findData(value)
    assert getattr(parameters, name) == value != before
    setattr(parameters, name, before)
    assert combo.currentData == before


def test_node_selectors_offer_volumes_of_both_kinds_and_no_labelmaps(open_panel, volume):
    widget = open_panel()
    grey = volume("Grey")
    colour = volume("Colour", array=np.zeros((1, 8, 8, 3), np.uint8), class_name="vtkMRMLVectorVolumeNode")
    labels = volume("Labels", array=np.ones((4, 8, 8), np.uint8), class_name="vtkMRMLLabelMapVolumeNode")
    for node in (grey, colour):
        widget.ui.inputSelector.setCurrentNode(node)
        assert widget._parameterNode.inputVolume is node
        widget._parameterNode.inputVolume = None
        assert widget.ui.inputSelector.currentNode() is None
    widget.ui.inputSelector.setCurrentNode(labels)
    assert widget._parameterNode.inputVolume is None
    widget.ui.regionSelector.setCurrentNode(labels)
    assert widget._parameterNode.region is labels
    widget.ui.regionSelector.setCurrentNode(grey)
    assert widget._parameterNode.region is None


def test_choices_survive_saving_and_loading_the_scene(scene, open_panel, volume):
    widget = open_panel()
    node = volume("Kept")
    parameters = widget._parameterNode
    parameters.inputVolume = parameters.referenceVolume = node
    wanted = {
        "model": "tiny-one-way",
        "direction": "forward",
        "strength": 0.5,
        "device": "cpu",
        "plane": "coronal",
        "precision": "fp32",
        "batchSize": 3,
        "figures": "all",
        "fade": 0.25,
        "frames": "all",
    }
    for name, value in wanted.items():
        setattr(parameters, name, value)
    scene.SetSaveToXMLString(1)
    scene.Commit()
    text = scene.GetSceneXMLString()
    scene.SetSaveToXMLString(0)
    scene.Clear(0)
    assert widget._parameterNode.strength == 1.0 and widget._parameterNode.inputVolume is None
    scene.SetLoadFromXMLString(1)
    scene.SetSceneXMLString(text)
    scene.Import()
    scene.SetLoadFromXMLString(0)
    parameters = widget._parameterNode
    assert {name: getattr(parameters, name) for name in wanted} == wanted
    assert parameters.inputVolume.GetName() == parameters.referenceVolume.GetName() == "Kept"
    assert widget.ui.strengthSlider.value == 0.5 and widget.ui.styleComboBox.currentData == "tiny-one-way"
    assert widget.ui.inputSelector.currentNode() is parameters.inputVolume
