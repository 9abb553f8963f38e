"""Several volumes at once: naming, progress of each, and what fails does not stop the rest."""

import numpy as np
import pytest
from scene_helpers import volume_names
from worker_commands import SLOW_WORKER


@pytest.fixture
def batch(ready, volume, until):
    """Open the section on some volumes; gives the widget, and waits for the end of a batch."""

    def make(command=None, names=("A", "B", "C")):
        nodes = [volume(name, seed=number + 1) for number, name in enumerate(names)]
        widget = ready(command, node=nodes[0], **({"batchSize": 1} if command else {}))
        widget.ui.batchCollapsibleButton.collapsed = False
        return widget, nodes

    return make


def wait(widget, until):
    until(lambda: not widget.panel.batch.runner.is_running, "the end of the batch")


def states(widget):
    table = widget.ui.batchTable
    return {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount)}


def test_one_after_the_other_and_a_failure_does_not_stop_the_rest(slicer_app, scene, batch, volume, until):
    widget, nodes = batch()
    slicer_app.util.updateVolumeFromArray(nodes[1], np.full((4, 8, 8), np.nan, np.float32))
    widget.ui.batchNameLineEdit.text = "{volume} as {domain}"
    widget.ui.batchButton.click()
    assert widget.ui.batchButton.text == "Cancel" and widget.ui.applyButton.text == "Cancel"
    wait(widget, until)
    assert states(widget) == {"A": "done", "B": "failed", "C": "done"}
    assert "2 of 3 volumes done. 1 failed" in widget.ui.batchStatusLabel.text
    assert widget.ui.batchTable.item(1, 1).toolTip().endswith(".")
    # "(synthetic)" is added, whatever the line says.
    assert volume_names(scene) == ["A", "A as T2w (synthetic)", "B", "C", "C as T2w (synthetic)"]
    made = scene.GetFirstNodeByName("C as T2w (synthetic)")
    assert made.GetNodeReference("SurgicalStyleTransferInput") is nodes[2]
    assert widget.ui.batchButton.text.startswith("Apply") and widget.ui.batchProgressBar.isHidden()
    # A click shows a result; results are not offered as inputs.
    widget.ui.batchTable._target.cellClicked.emit(0, 0)
    first = scene.GetFirstNodeByName("A as T2w (synthetic)")
    red = slicer_app.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert red.GetBackgroundVolumeID() == first.GetID() and widget._parameterNode.resultVolume is first
    assert list(states(widget)) == ["A", "B", "C"]


def test_only_what_is_checked_of_a_folder(slicer_app, scene, batch, until):
    widget, nodes = batch()
    hierarchy = slicer_app.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient"), "Study 1")
    for node in nodes[1:]:
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), study)
    widget.panel.update()
    combo = widget.ui.batchGroupComboBox
    assert [combo.itemText(index) for index in range(combo.count)] == ["All volumes of the scene", "Patient", "Study 1"]
    combo.currentIndex = 2
    assert list(states(widget)) == ["B", "C"]
    hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Nobody")
    widget.panel.update()
    assert combo.currentText == "Study 1" and list(states(widget)) == ["B", "C"], "the choice stays"
    import qt

    widget.ui.batchTable.item(0, 0).setCheckState(qt.Qt.Unchecked)
    widget.ui.batchButton.click()
    wait(widget, until)
    assert states(widget) == {"B": "", "C": "done"}
    made = scene.GetFirstNodeByName("C T2w (synthetic)")
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(made)) == study
    widget.ui.batchTable.item(1, 0).setCheckState(qt.Qt.Unchecked)
    widget.ui.batchButton.click()
    assert widget.ui.batchStatusLabel.text == "Check at least one volume."


def test_cancel_leaves_the_rest_undone(scene, batch, until):
    widget, _nodes = batch(SLOW_WORKER)
    widget.ui.batchButton.click()
    until(lambda: states(widget)["A"] not in ("", "0 %"), "progress of the first")
    widget.ui.batchButton.click()
    wait(widget, until)
    until(lambda: widget.logic.engine.style_job is None, "the end of the run")
    assert states(widget) == {"A": "not done", "B": "not done", "C": "not done"}
    assert volume_names(scene) == ["A", "B", "C"]


def test_the_scene_closed_during_a_batch(slicer_app, scene, batch, until):
    widget, _nodes = batch(SLOW_WORKER)
    widget.ui.batchButton.click()
    until(lambda: states(widget)["A"] not in ("", "0 %"), "progress of the first")
    scene.Clear(0)
    until(lambda: not widget.logic.engine.client.busy, "the worker's answer")
    assert volume_names(scene) == [] and widget.panel.batch.runner is None and widget.ui.batchTable.rowCount == 0
    for _ in range(20):
        slicer_app.app.processEvents()
    assert widget.ui.batchStatusLabel.isHidden()


def verdicts(widget):
    table = widget.ui.batchTable
    return [(table.item(row, 2).text(), table.item(row, 2).toolTip()) for row in range(table.rowCount)]


def test_each_result_has_its_verdict_in_the_table(slicer_app, scene, batch, until):
    widget, nodes = batch(names=("A", "B"))
    widget._parameterNode.figures = "verdict"
    slicer_app.util.updateVolumeFromArray(nodes[1], np.full((4, 8, 8), np.nan, np.float32))
    asked, judge = [], widget.logic.engine.judge

    def noted(*arguments, **named):
        asked.append(named)
        judge(*arguments, **named)

    widget.logic.engine.judge = noted
    widget.ui.batchButton.click()
    wait(widget, until)
    assert asked == [{"cycle": False}], "without running the network again"
    (word, sentence), failed = verdicts(widget)
    assert word in ("none", "Red") and sentence.endswith(".") and failed == ("", "")
    assert widget.ui.qualityCollapsibleButton.collapsed
    # What is begun anew shows no verdict of before; and none without the wish.
    widget._parameterNode.figures = "off"
    widget.ui.batchButton.click()
    assert verdicts(widget) == [("", "")] * 2
    wait(widget, until)
    assert states(widget)["A"] == "done" and verdicts(widget) == [("", "")] * 2
