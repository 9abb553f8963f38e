"""The section Fusion: its list, a fusion through a real worker process, and every way in which it can fail."""

from pathlib import Path

import numpy as np
import pytest
from scene_helpers import engines_volume, matrix_of, shift, volumes
from tiny_models import head, make_tiny_fusion_model
from worker_commands import SLOW_FUSION, SLOW_WORKER

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"

SHAPE = (8, 26, 24)


@pytest.fixture
def pair(volume):
    """Two contrasts of one head on one grid."""
    first = head(3, SHAPE)
    second = np.where(first > 0, 1000 - first, 0).astype(np.float32)
    return volume("T1", array=first), volume("T2", array=second)


@pytest.fixture
def ready_to_fuse(open_panel, pair):
    """An opened panel with T1 as input and T2 in the list."""

    def make(command=None, others=None, register=False, method="pyramid"):
        widget = open_panel(command)
        widget._parameterNode.inputVolume = pair[0]
        for node in [pair[1]] if others is None else others:
            widget.ui.fusionSelector.setCurrentNode(node)
            widget.ui.fusionAddButton.click()
        widget.ui.fusionRegisterCheckBox.checked = register
        widget._parameterNode.fusionMethod = method
        return widget

    return make


@pytest.fixture
def fuse(scene, until):
    """Press Fuse, wait, and give the new volume (None if there is none)."""

    def press(widget):
        before = {node.GetID() for node in volumes(scene)}
        widget.ui.fusionButton.click()
        until(lambda: widget.logic.engine.fusion_job is None, "the end of the fusion")
        new = [node for node in volumes(scene) if node.GetID() not in before]
        assert len(new) <= 1
        return new[0] if new else None

    return press


def listed(widget):
    """(name, weight) of each row of the list."""
    table = widget.ui.fusionTable
    return [(table.item(row, 0).text(), table.cellWidget(row, 1).value) for row in range(table.rowCount)]


def test_the_section_begins_closed_and_with_the_reference(open_panel, pair):
    widget = open_panel()
    assert widget.ui.fusionCollapsibleButton.collapsed and widget.ui.fusionMethodComboBox.currentData == "pyramid"
    widget._parameterNode.inputVolume = pair[0]
    assert listed(widget) == [("T1 (reference)", 1.0)] and not widget.ui.fusionRemoveButton.enabled
    assert widget.ui.fusionFiguresTable.isHidden()


def test_the_list_takes_volumes_once_and_gives_them_back(ready_to_fuse, pair, volume):
    widget = ready_to_fuse()
    assert listed(widget) == [("T1 (reference)", 1.0), ("T2", 1.0)]
    assert widget.ui.fusionSelector.currentNode() is None
    third = volume("PD", array=head(4, SHAPE))
    widget.ui.fusionAddButton.click()
    assert widget.ui.fusionStatusLabel.text == "Select the volume to add first."
    for node, sentence in ((pair[0], "T1 is the reference already"), (pair[1], "T2 is in the list already")):
        widget.ui.fusionSelector.setCurrentNode(node)
        widget.ui.fusionAddButton.click()
        assert sentence in widget.ui.fusionStatusLabel.text and len(listed(widget)) == 2
    widget.ui.fusionSelector.setCurrentNode(third)
    widget.ui.fusionAddButton.click()
    table = widget.ui.fusionTable
    for row, weight in enumerate((0.5, 2.0, 3.0)):
        table.cellWidget(row, 1).value = weight
    assert listed(widget) == [("T1 (reference)", 0.5), ("T2", 2.0), ("PD", 3.0)]
    assert widget._parameterNode.fusionWeights == "[0.5, 2.0, 3.0]"
    table.selectRow(1)
    widget.ui.fusionRemoveButton.click()
    assert listed(widget) == [("T1 (reference)", 0.5), ("PD", 3.0)]
    table.selectRow(0)
    widget.ui.fusionRemoveButton.click()
    assert len(listed(widget)) == 2 and "reference is the input volume" in widget.ui.fusionStatusLabel.text
    table.clearSelection()
    table.setCurrentCell(-1, -1)
    widget.ui.fusionRemoveButton.click()
    assert listed(widget) == [("T1 (reference)", 0.5)]


def test_a_deleted_volume_takes_its_weight_with_it(scene, ready_to_fuse, pair, volume):
    third = volume("PD", array=head(4, SHAPE))
    widget = ready_to_fuse(others=[pair[1], third])
    widget.ui.fusionTable.cellWidget(2, 1).value = 4.0
    scene.RemoveNode(pair[1])
    assert listed(widget) == [("T1 (reference)", 1.0), ("PD", 4.0)]
    scene.RemoveNode(pair[0])
    assert listed(widget) == [("no input volume (reference)", 1.0), ("PD", 4.0)]


def test_the_list_survives_saving_and_loading_the_scene(scene, ready_to_fuse, volume, pair):
    third = volume("PD", array=head(4, SHAPE))
    widget = ready_to_fuse(others=[pair[1], third], method="guided")
    widget.ui.fusionTable.cellWidget(1, 1).value = 0.25
    scene.SetSaveToXMLString(1)
    scene.Commit()
    text = scene.GetSceneXMLString()
    scene.SetSaveToXMLString(0)
    scene.Clear(0)
    assert listed(widget) == [("no input volume (reference)", 1.0)] and len(widget._parameterNode.fusionVolumes) == 0
    scene.SetLoadFromXMLString(1)
    scene.SetSceneXMLString(text)
    scene.Import()
    scene.SetLoadFromXMLString(0)
    assert listed(widget) == [("T1 (reference)", 1.0), ("T2", 0.25), ("PD", 1.0)]
    parameters = widget._parameterNode
    assert [node.GetName() for node in parameters.fusionVolumes] == ["T2", "PD"]
    assert parameters.fusionMethod == "guided" and not parameters.fusionRegister
    assert not widget.ui.fusionRegisterCheckBox.checked and widget.ui.fusionMethodComboBox.currentData == "guided"


def test_a_fusion_is_a_new_volume_on_the_references_grid(slicer_app, scene, ready_to_fuse, fuse, pair):
    transform = shift(pair[0], 30.0, "Turned")
    pair[1].SetAndObserveTransformNodeID(transform.GetID())
    hierarchy = slicer_app.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Patient")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(pair[0]), folder)
    before = [slicer_app.util.arrayFromVolume(node).copy() for node in pair]
    widget = ready_to_fuse(register=True)
    widget.ui.fusionTable.cellWidget(0, 1).value = 3.0
    node = fuse(widget)

    assert node is not None and node.GetName() == "T1 + T2 (fused)", widget.ui.fusionStatusLabel.text
    assert node.GetClassName() == "vtkMRMLScalarVolumeNode" and node.GetParentTransformNode() is transform
    np.testing.assert_array_equal(matrix_of(node), matrix_of(pair[0]))
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == folder
    assert node.GetAttribute("SurgicalStyleTransfer.Synthetic") == "yes"
    assert node.GetAttribute("SurgicalStyleTransfer.FusionMethod") == "pyramid"
    assert node.GetAttribute("SurgicalStyleTransfer.FusionInputs") == "T1 (75 %), T2 (25 %)"
    assert "Fused image made from T1 (75 %), T2 (25 %) by pyramid fusion" in node.GetDescription()
    assert "Not acquired" in node.GetDescription()
    red = slicer_app.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert red.GetBackgroundVolumeID() == node.GetID()
    display = node.GetDisplayNode()
    assert not display.GetAutoWindowLevel() and display.GetWindow() > 1
    said = widget.ui.fusionStatusLabel.text
    assert "2 volumes fused in" in said and "measure nothing" in said
    assert not widget.ui.fusionProgressBar.visible and widget.ui.fusionButton.text == "Fuse"
    for source, array in zip(pair, before, strict=True):
        np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(source), array)

    from surgical_style_engine.fusion import fuse_volumes, fusion_quality

    expected = fuse_volumes([engines_volume(source) for source in pair], weights=[3, 1])
    np.testing.assert_allclose(slicer_app.util.arrayFromVolume(node), expected.volume.array[0], atol=1e-3)
    table, judged = widget.ui.fusionFiguresTable, fusion_quality(expected)
    assert not table.isHidden() and table.rowCount == 5
    assert [table.item(row, 0).text() for row in range(2)] == [
        "Information shared with T1",
        "Information shared with T2",
    ]
    for column, figures in enumerate((judged, judged["floors"]["reference"], judged["floors"]["average"]), 1):
        assert table.item(1, column).text() == f"{figures['normalized_mutual_information'][1]:.3f}"
        assert table.item(2, column).text() == f"{figures['q_abf']:.3f}"
        assert table.item(3, column).text() == f"{figures['piella_weighted']:.3f}"
        assert table.item(4, column).text() == f"{figures['entropy']:.3f}"

    assert fuse(widget).GetName() != node.GetName(), "no name is used twice"
    left = [path.name for path in widget.logic.engine.exchange.folder.glob("[!.]*")]
    assert all(name.startswith("input") for name in left) and len(left) <= 3, left
    scene.RemoveNode(volumes(scene)[-1])
    assert table.isHidden()


def test_a_fusion_can_be_compared_with_its_reference(slicer_app, scene, ready_to_fuse, fuse, until, pair):
    widget = ready_to_fuse()
    ui, manager = widget.ui, slicer_app.app.layoutManager()
    assert not ui.fadeButton.enabled and "fuse" in ui.fadeButton.toolTip
    node = fuse(widget)
    assert ui.sidesButton.enabled and ui.checkerboardButton.enabled
    red, yellow = (manager.sliceWidget(name).mrmlSliceCompositeNode() for name in ("Red", "Yellow"))
    ui.fadeButton.click()
    assert (red.GetBackgroundVolumeID(), red.GetForegroundVolumeID()) == (pair[0].GetID(), node.GetID())
    # The next one takes its place while comparing, and so does a translation.
    other = fuse(widget)
    assert red.GetForegroundVolumeID() == other.GetID() and widget._parameterNode.compare == "fade"
    ui.sidesButton.click()
    assert (red.GetBackgroundVolumeID(), yellow.GetBackgroundVolumeID()) == (pair[0].GetID(), other.GetID())
    ui.applyButton.click()
    until(lambda: widget.logic.engine.style_job is None, "the end of the run")
    result = widget._parameterNode.resultVolume
    assert result is not None and yellow.GetBackgroundVolumeID() == result.GetID()
    fuse(widget)
    scene.RemoveNode(volumes(scene)[-1])
    assert widget.panel.compare.compared()[1].GetID() == result.GetID(), "what is left can be compared"


def test_others_lie_where_they_are_seen(slicer_app, ready_to_fuse, fuse, pair):
    """Both moved by transforms, 20 mm and 26 mm towards R: to the reference T2 lies 6 mm further."""
    from surgical_style_engine.fusion import fuse_volumes

    shift(pair[0], 20.0)
    shift(pair[1], 26.0)
    made = slicer_app.util.arrayFromVolume(fuse(ready_to_fuse(method="weighted")))
    first, second = (engines_volume(node, moved) for node, moved in zip(pair, (0.0, -6.0), strict=True))
    expected = fuse_volumes([first, second], method="weighted", register="none").volume.array[0]
    np.testing.assert_allclose(made, expected, atol=1e-2)
    unmoved = fuse_volumes([first, engines_volume(pair[1])], method="weighted", register="none")
    assert np.abs(made - unmoved.volume.array[0]).max() > 50


def test_registration_brings_a_displaced_volume_back(slicer_app, ready_to_fuse, fuse, pair):
    shift(pair[1], 6.0)
    widget = ready_to_fuse(method="weighted", register=True)
    registered = slicer_app.util.arrayFromVolume(fuse(widget)).copy()
    pair[1].SetAndObserveTransformNodeID(None)
    widget.ui.fusionRegisterCheckBox.checked = False
    wanted = slicer_app.util.arrayFromVolume(fuse(widget)).copy()
    shift(pair[1], 6.0)
    displaced = slicer_app.util.arrayFromVolume(fuse(widget))
    assert np.abs(registered - wanted).mean() < 0.5 * np.abs(displaced - wanted).mean()


def test_more_volumes_than_the_exchange_keeps(slicer_app, ready_to_fuse, fuse, volume):
    others = [volume(f"V{number}", array=head(number, SHAPE)) for number in range(5)]
    node = fuse(ready_to_fuse(others=others, method="weighted"))
    assert node is not None and node.GetName().startswith("T1 + V0 + V1") and node.GetName().endswith("V4 (fused)")


@pytest.mark.parametrize("fault", ["alone", "twice", "colour", "colour reference", "empty", "weights", "far", "bent"])
def test_what_cannot_be_fused_is_said_and_the_scene_stays(slicer_app, scene, ready_to_fuse, fuse, pair, volume, fault):
    others = [pair[1]]
    photo = volume("Photo", array=np.full((*SHAPE, 3), 9, np.uint8), class_name="vtkMRMLVectorVolumeNode")
    if fault == "alone":
        others = []
    if fault == "empty":
        others = [scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Nothing")]
    widget = ready_to_fuse(others=others)
    parameters, sentence = widget._parameterNode, ""
    if fault == "alone":
        sentence = "fusion needs at least two"
    elif fault == "twice":
        parameters.inputVolume, sentence = pair[1], "T2 is given twice"
    elif fault == "colour":
        parameters.fusionVolumes, sentence = [photo], "Photo is in colour"
    elif fault == "colour reference":
        parameters.inputVolume, sentence = photo, "Photo is in colour"
    elif fault == "empty":
        sentence = "Nothing is empty."
    elif fault == "weights":
        for row in range(2):
            widget.ui.fusionTable.cellWidget(row, 1).value = 0.0
        sentence = "Give at least one volume a weight above 0."
    elif fault == "far":
        shift(pair[1], 900.0)
        sentence = "T2 and the reference do not overlap"
    elif fault == "bent":
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Scaled")
        transform.SetMatrixTransformToParent(slicer_app.util.vtkMatrixFromArray(np.diag([2.0, 1, 1, 1])))
        matrix = np.eye(4)
        matrix[0, 1] = 0.5
        transform.SetMatrixTransformToParent(slicer_app.util.vtkMatrixFromArray(matrix))
        pair[1].SetAndObserveTransformNodeID(transform.GetID())
        sentence = "T2 is sheared or scaled"
    nodes = scene.GetNumberOfNodes()
    assert fuse(widget) is None and scene.GetNumberOfNodes() == nodes
    text = widget.ui.fusionStatusLabel.text
    assert sentence in text and text.count(". ") <= 1 and "Traceback" not in text
    assert widget.ui.fusionButton.text == "Fuse" and widget.ui.fusionButton.enabled
    assert not widget.ui.fusionProgressBar.visible


@pytest.mark.parametrize("how", ["cancel", "reference deleted", "other deleted", "scene closed", "worker stopped"])
def test_a_fusion_that_is_ended_leaves_no_trace(scene, ready_to_fuse, until, pair, how):
    widget = ready_to_fuse(SLOW_FUSION)
    nodes = scene.GetNumberOfNodes()
    ui = widget.ui
    ui.fusionButton.click()
    assert ui.fusionButton.text == "Cancel" and not ui.applyButton.enabled and "fused" in ui.applyButton.toolTip
    until(lambda: " 55 %" in ui.fusionStatusLabel.text, "progress")
    assert not ui.fusionProgressBar.isHidden() and ui.fusionProgressBar.value > 0
    engine = widget.logic.engine
    if how == "cancel":
        ui.fusionButton.click()
        sentence = "Cancelled. The scene is as it was."
    elif how == "scene closed":
        scene.Clear(0)
        sentence = "The scene was closed; nothing was written."
    elif how == "worker stopped":
        ui.stopWorkerButton.click()
        sentence = "The worker was stopped."
    else:
        node = pair[0] if how.startswith("reference") else pair[1]
        sentence = f"{node.GetName()} was deleted during the fusion; nothing was written."
        displays = node.GetNumberOfDisplayNodes()
        scene.RemoveNode(node)
        assert displays == 1
        nodes -= 1
    until(lambda: engine.fusion_job is None, "the end")
    until(lambda: not engine.client.busy, "the worker's answer")
    assert ui.fusionStatusLabel.text == sentence and ui.fusionButton.text == "Fuse" and not ui.fusionProgressBar.visible
    if how == "scene closed":
        assert not volumes(scene)
    else:
        assert scene.GetNumberOfNodes() <= nodes and len(volumes(scene)) == (2 if "deleted" not in how else 1)
    left = [path.name for path in engine.exchange.folder.glob("[!.]*")]
    assert not [name for name in left if name.startswith("fused")] and len(left) <= 1, left
    assert ui.fusionButton.enabled


def test_one_thing_at_a_time(ready_to_fuse, until):
    widget = ready_to_fuse(SLOW_WORKER)
    widget._parameterNode.model = "tiny"
    widget._parameterNode.device = "cpu"
    widget._parameterNode.batchSize = 1
    widget.ui.applyButton.click()
    assert not widget.ui.fusionButton.enabled and "style is being applied" in widget.ui.fusionButton.toolTip
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.style_job is None, "the end after Cancel")
    assert widget.ui.fusionButton.enabled


def test_a_trained_network_as_the_method(
    slicer_app, scene, ready_to_fuse, fuse, tiny_folder, open_panel, pair, tmp_path
):
    make_tiny_fusion_model(tmp_path)
    widget = open_panel(folder=tmp_path)
    combo, parameters = widget.ui.fusionMethodComboBox, widget._parameterNode
    parameters.inputVolume = pair[0]
    widget.ui.fusionSelector.setCurrentNode(pair[1])
    widget.ui.fusionAddButton.click()
    widget.ui.fusionRegisterCheckBox.checked = False
    combo.currentIndex = combo.findData("model:tiny-fusion")
    assert combo.currentText == "T1 and T2 in one" and parameters.fusionMethod == "model:tiny-fusion"
    made = fuse(widget)
    assert made is not None, widget.ui.fusionStatusLabel.text
    np.testing.assert_array_equal(matrix_of(made), matrix_of(pair[0]))
    assert made.GetAttribute("SurgicalStyleTransfer.StyleModel") == "tiny-fusion"
    assert made.GetDescription().startswith("Synthetic Both image made from T1, T2 by the style tiny-fusion, weights ")
    assert widget.ui.fusionFiguresTable.rowCount > 0
    # The model is gone: the choice stays, and the panel says what is wrong.
    (tmp_path / "tiny-fusion" / "model.json").unlink()
    widget.panel.refresh_styles()
    assert fuse(widget) is None and "not on this machine" in widget.ui.fusionStatusLabel.text
