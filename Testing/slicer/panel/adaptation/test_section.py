"""Adapt to my scanner on the running panel: a real, small adaptation in its own worker; refused, cancelled, absent."""

import json

import numpy as np
import pytest
from adapting import QUICK_WORKER, SHAPE, SPACING, reversed_tissues, style
from tiny_models import head


@pytest.fixture
def adaptable(open_panel, scene, slicer_app, tmp_path, monkeypatch):
    """Open the panel on a small style and a pair of volumes; the worker trains quickly."""
    from SurgicalStyleTransferLib.jobs import adaptation
    from SurgicalStyleTransferLib.setup import training

    monkeypatch.setattr(adaptation, "worker_command", lambda: QUICK_WORKER)
    monkeypatch.setattr(training, "missing", lambda: [])

    def make():
        style(tmp_path)
        for left in tmp_path.glob("*-base"):  # which the style was made of
            left.rename(tmp_path.with_name(f"{tmp_path.name}-{left.name}"))
        array = head(1, SHAPE)
        nodes = []
        for name, values in (("Doe T1", array), ("Doe T2", reversed_tissues(array))):
            node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
            slicer_app.util.updateVolumeFromArray(node, values)
            node.SetSpacing(*SPACING)
            nodes.append(node)
        widget = open_panel(folder=tmp_path)
        widget._parameterNode.model, widget._parameterNode.device = "base", "cpu"
        widget.ui.adaptCollapsibleButton.collapsed = False
        return widget, nodes

    return make


def choose(widget, nodes):
    widget.ui.adaptSourceSelector.setCurrentNode(nodes[0])
    widget.ui.adaptTargetSelector.setCurrentNode(nodes[1])
    assert widget.ui.adaptButton.enabled, widget.ui.adaptReasonLabel.text


def end(widget, until):
    until(lambda: widget.logic.engine.adaptation.job is None, "the end of the adaptation")
    until(lambda: widget.logic.engine.adaptation._client is None, "the end of its worker")


def styles(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_style_is_adapted_proven_saved_and_selected(adaptable, slicer_app, scene, tmp_path, until):
    import vtk

    widget, nodes = adaptable()
    ui, adaptation = widget.ui, widget.logic.engine.adaptation
    assert (ui.adaptSourceLabel.text, ui.adaptTargetLabel.text) == ("T1w:", "T2w:")
    assert not ui.adaptButton.enabled and "Select two scans of a patient: T1w and T2w." in ui.adaptReasonLabel.text
    # The pair lies on each other in the views, through a parent transform.
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 40.0)
    transform.SetMatrixTransformToParent(matrix)
    nodes[1].SetOrigin(-40.0, 0.0, 0.0)
    nodes[1].SetAndObserveTransformNodeID(transform.GetID())
    choose(widget, nodes)
    assert ui.adaptNameLineEdit.text == "Brain MR, T1w to T2w, adapted"
    ui.adaptAddButton.click()
    assert ui.adaptTable.rowCount == 1 and ui.adaptTable.item(0, 1).text() == "Doe T2"
    ui.adaptButton.click()
    assert ui.adaptButton.text == "Cancel" and not ui.adaptProgressBar.isHidden()
    folder = adaptation._exchange.folder
    until(lambda: "Training" in ui.adaptStatusLabel.text, "the training")
    assert "Kept aside: 6 slices" in ui.adaptTextEdit.plainText and "12 slices" in ui.adaptTextEdit.plainText
    assert not ui.adaptNameLineEdit.enabled and not ui.adaptAddButton.enabled
    end(widget, until)
    text = ui.adaptStatusLabel.text
    assert text.startswith("Better on 6 slices kept aside, of the same patient: PSNR"), text
    assert "not calibrated" in text and "does not seem to be registered" not in text
    assert not folder.exists() and ui.adaptProgressBar.isHidden() and ui.adaptButton.text == "Adapt"
    # Saved as a style of the user's, selected, and its card says how it came about.
    name = "brain-mr-t1w-to-t2w-adapted"
    assert styles(tmp_path) == ["base", name]
    assert widget._parameterNode.model == name and ui.styleComboBox.currentText == "Brain MR, T1w to T2w, adapted"
    ui.cardButton.checked = True
    assert "Adapted to one scanner with 12 slices of one registered pair" in ui.cardLabel.text
    assert "Doe" not in json.dumps([path.read_text(errors="replace") for path in (tmp_path / name).glob("*.[jm]*")])
    # The next one gets another name.
    assert ui.adaptNameLineEdit.text == "Brain MR, T1w to T2w, adapted, adapted"
    widget._parameterNode.model = "base"
    assert ui.adaptNameLineEdit.text == "Brain MR, T1w to T2w, adapted 2"
    # It is refused, with both figures, where nothing was learned.
    ui.adaptMinutesSpinBox.value = 12
    ui.adaptButton.click()
    end(widget, until)
    assert "is not better than base" in ui.adaptStatusLabel.text and "nothing was saved" in ui.adaptStatusLabel.text
    assert styles(tmp_path) == ["base", name] and widget._parameterNode.model == "base"


def test_a_cancel_and_the_end_of_the_panel_leave_nothing(adaptable, scene, tmp_path, until):
    widget, nodes = adaptable()
    ui, adaptation = widget.ui, widget.logic.engine.adaptation
    choose(widget, nodes)
    ui.adaptMinutesSpinBox.value = 11
    ui.adaptButton.click()
    folder = adaptation._exchange.folder
    until(lambda: "Training" in ui.adaptStatusLabel.text, "the training")
    assert any(folder.iterdir())
    ui.adaptButton.click()
    end(widget, until)
    assert ui.adaptStatusLabel.text == "Cancelled. Nothing was saved." and not folder.exists()
    assert styles(tmp_path) == ["base"] and ui.adaptButton.enabled
    # The same where the module is closed meanwhile.
    ui.adaptButton.click()
    process, folder = adaptation._client._process, adaptation._exchange.folder
    widget.cleanup()
    assert adaptation.job is None and adaptation._client is None and not folder.exists() and process is not None
    assert not adaptation._later.isActive() and styles(tmp_path) == ["base"]


def test_what_is_missing_is_said_in_the_panel(adaptable, slicer_app, scene, monkeypatch):
    from SurgicalStyleTransferLib.panel.adaptation import section
    from SurgicalStyleTransferLib.setup import dependencies, training

    widget, nodes = adaptable()
    ui = widget.ui
    choose(widget, nodes)
    monkeypatch.setattr(training, "missing", lambda: [dependencies.TORCH])
    widget.panel.update()
    assert "Adapting needs PyTorch, about 2 GB, which is not installed" in ui.adaptReasonLabel.text

    def declined():
        raise dependencies.InstallationError("Nothing was installed, as you chose.")

    monkeypatch.setattr(section, "provide_training", declined)
    ui.adaptButton.click()
    assert ui.statusLabel.text == "Nothing was installed, as you chose."
    assert widget.logic.engine.adaptation.job is None
    monkeypatch.setattr(training, "training_folder", lambda: None)
    widget.panel.update()
    assert not ui.adaptButton.enabled and "did not come with this installation" in ui.adaptReasonLabel.text
    monkeypatch.setattr(training, "training_folder", lambda: slicer_app)
    monkeypatch.setattr(dependencies, "torch_exists", lambda: False)
    widget.panel.update()
    assert not ui.adaptButton.enabled and "no longer made for Macs" in ui.adaptReasonLabel.text


def test_the_list_of_scans(adaptable, slicer_app, scene, volume):
    from SurgicalStyleTransferLib.mrml import outputs

    widget, nodes = adaptable()
    ui, scans = widget.ui, widget.panel.adaptation.scans
    made = volume("Made")
    outputs.set_notes(made, {"Synthetic": "yes"})
    ui.adaptSourceSelector.setCurrentNode(nodes[0])
    ui.adaptTargetSelector.setCurrentNode(made)
    assert not ui.adaptAddButton.enabled and "Made is synthetic" in ui.adaptAddButton.toolTip
    ui.adaptTargetSelector.setCurrentNode(nodes[0])
    assert "two different volumes" in ui.adaptAddButton.toolTip
    choose(widget, nodes)
    ui.adaptAddButton.click()
    choose_again = ui.adaptSourceSelector.currentNode(), ui.adaptTargetSelector.currentNode()
    assert choose_again == (None, None) and (len(scans.sources), len(scans.targets)) == (1, 1)
    ui.adaptSourceSelector.setCurrentNode(nodes[0])
    ui.adaptTargetSelector.setCurrentNode(made)
    assert not ui.adaptAddButton.enabled
    # Without pairs each side fills by itself; a scan that is deleted leaves the list.
    ui.adaptKindComboBox.currentIndex = 1
    assert ui.adaptTable.rowCount == 0 and ui.adaptRegisterCheckBox.isHidden()
    ui.adaptSourceSelector.setCurrentNode(nodes[0])
    ui.adaptTargetSelector.setCurrentNode(None)
    ui.adaptAddButton.click()
    assert ui.adaptTable.rowCount == 1 and "at least one scan of each kind" in ui.adaptReasonLabel.text
    ui.adaptTargetSelector.setCurrentNode(nodes[1])
    ui.adaptAddButton.click()
    assert ui.adaptButton.enabled and ui.adaptTable.rowCount == 1
    scene.RemoveNode(nodes[1])
    assert scans.targets == [] and not ui.adaptButton.enabled
    ui.adaptRemoveButton.click()
    assert ui.adaptTable.rowCount == 0 and not ui.adaptRemoveButton.enabled
    assert np.isfinite(slicer_app.util.arrayFromVolume(nodes[0])).all()
