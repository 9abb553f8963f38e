"""The section Inputs: sample data, and what the worker says of the volume."""

import sys
from pathlib import Path

import numpy as np
from tiny_models import head

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_the_empty_state_offers_slicers_own_sample(slicer_app, open_panel, volume, monkeypatch):
    import types

    widget = open_panel()
    assert not widget.ui.emptyFrame.isHidden() and not widget.ui.applyButton.enabled
    asked = []

    class SampleDataLogic:
        def downloadSamples(self, name):
            asked.append(name)
            return [volume(name) for name in ("CTBrain", "MRBrainT1", "MRBrainT2")]

    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=SampleDataLogic))
    widget.ui.sampleDataButton.click()
    assert asked == ["CTMRBrain"] and widget._parameterNode.inputVolume.GetName() == "MRBrainT1"
    assert widget.ui.emptyFrame.isHidden() and widget.ui.applyButton.enabled


def test_a_volume_that_does_not_look_right_is_warned_about_but_not_blocked(slicer_app, ready, until, volume):
    widget = ready(node=volume("scan_FLAIR"))
    until(lambda: not widget.ui.warningLabel.isHidden(), "the warning")
    assert "FLAIR by the name 'scan_FLAIR'" in widget.ui.warningLabel.text and widget.ui.applyButton.enabled
    widget._parameterNode.inputVolume = volume("Good")
    until(lambda: widget.panel.inputs._checked[0] == widget._parameterNode.inputVolume.GetID(), "another check")
    until(lambda: not widget.logic.engine.client.busy, "its answer")
    assert widget.ui.warningLabel.isHidden()


def test_a_ct_without_a_header_blocks_with_the_reason(slicer_app, ready, until, volume):
    node = volume(array=np.where(head(5) > 0, head(5) / 10, -1000).astype(np.float32))
    widget = ready(node=node)
    until(lambda: not widget.ui.applyButton.enabled, "the check")
    assert "is CT by its voxels" in widget.ui.applyButton.toolTip
    # Said once: in the note, or under the button where that is out of sight, or in the status line alone.
    ui = widget.ui
    assert "is CT by its voxels" in ui.warningLabel.text and ui.reasonLabel.isHidden()
    ui.styleCollapsibleButton.collapsed = True
    assert "is CT by its voxels" in ui.reasonLabel.text and not ui.reasonLabel.isHidden()
    widget.panel.context.status.show(ui.reasonLabel.text, error=True)
    assert ui.reasonLabel.isHidden()
    widget.panel.context.status.show("")
    assert not ui.reasonLabel.isHidden()


def test_a_modality_that_dicom_states_wrong_blocks_with_the_reason(slicer_app, scene, ready, until, volume):
    node = volume()
    hierarchy = slicer_app.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    name = slicer_app.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(node), name, "CT")
    widget = ready(node=node)
    until(lambda: not widget.ui.applyButton.enabled, "the check")
    assert "is CT by its header" in widget.ui.applyButton.toolTip
    assert "is CT by its header" in widget.ui.warningLabel.text


def test_a_loaded_volume_is_chosen_where_there_is_none(slicer_app, scene, open_panel, volume, until):
    """As a reader of Slicer does it: first the node, then its voxels."""
    widget = open_panel()
    assert "Select an input volume." in widget.ui.reasonLabel.text and not widget.ui.reasonLabel.isHidden()
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Loaded")
    until(lambda: widget._parameterNode.inputVolume is node, "the choice")
    assert widget.ui.reasonLabel.text == "The input volume is empty."
    slicer_app.util.updateVolumeFromArray(node, head())
    until(lambda: widget.ui.applyButton.enabled, "Apply")
    assert widget.ui.reasonLabel.isHidden()
    volume("Another")
    slicer_app.app.processEvents()
    assert widget._parameterNode.inputVolume is node
