"""Sequences: every frame is translated, and browsers move together."""

from pathlib import Path

import numpy as np
from scene_helpers import matrix_of
from worker_commands import SLOW_WORKER

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_all_frames_of_a_sequence(slicer_app, scene, ready, apply, until, sequence, monkeypatch):
    from SurgicalStyleTransferLib.panel.apply import ApplySection

    browser, proxy = sequence
    asked = []
    monkeypatch.setattr(ApplySection, "ask_frames", lambda self, count: asked.append(count) or "all")
    widget = ready(node=proxy)
    assert not widget.ui.framesComboBox.isHidden()
    result = apply(widget)
    assert asked == [3] and widget._parameterNode.frames == "all"
    assert result is not None, widget.ui.statusLabel.text
    own = next(node for node in slicer_app.util.getNodesByClass("vtkMRMLSequenceBrowserNode") if node is not browser)
    assert browser.GetSequenceNode(result) is None, "the result has a browser of its own"
    made = own.GetSequenceNode(result)
    assert made.GetNumberOfDataNodes() == 3 and made.GetIndexName() == "time" and made.GetNthIndexValue(2) == "10"
    assert "synthetic" in result.GetName() and result.GetAttribute("SurgicalStyleTransfer.Synthetic") == "yes"
    shown = []
    for number in range(3):
        browser.SetSelectedItemNumber(number)
        slicer_app.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        assert own.GetSelectedItemNumber() == number, "it moves with the input's"
        shown.append(slicer_app.util.arrayFromVolume(result).copy())
        np.testing.assert_array_equal(shown[-1], slicer_app.util.arrayFromVolume(made.GetNthDataNode(number)))
        np.testing.assert_array_equal(matrix_of(result), matrix_of(proxy))
    assert not np.allclose(shown[0], shown[1]) and not np.allclose(shown[1], shown[2])
    own.SetSelectedItemNumber(0)
    assert browser.GetSelectedItemNumber() == 0, "and the input's with it"

    widget.ui.strengthSlider.value = 0.0
    until(lambda: widget.logic.engine.results[result.GetID()].strength == 0.0, "the blend of all frames")
    source = browser.GetSequenceNode(proxy)
    for number in range(3):
        np.testing.assert_array_equal(
            slicer_app.util.arrayFromVolume(made.GetNthDataNode(number)),
            slicer_app.util.arrayFromVolume(source.GetNthDataNode(number)),
        )
    # The answer is kept; nobody is asked twice.
    apply(widget)
    assert asked == [3]


def test_browsers_find_each_other_again_by_what_the_scene_keeps(slicer_app, scene, ready, apply, sequence, tmp_path):
    from SurgicalStyleTransferLib.mrml import sequences

    browser, proxy = sequence
    widget = ready(node=proxy, frames="all")
    result = apply(widget)
    scene.Commit(str(tmp_path / "scene.mrml"))
    assert sequences.LEADER_ROLE in (tmp_path / "scene.mrml").read_text(encoding="utf-8")
    own = sequences.browser_of(result)
    assert own is not browser and own.GetNodeReference(sequences.LEADER_ROLE) is browser
    widget.panel.apply._links.close()
    browser.SetSelectedItemNumber(2)
    assert own.GetSelectedItemNumber() != 2
    # What happens when a scene was loaded.
    widget.panel.set_parameters(widget._parameterNode)
    for moved, other, number in ((browser, own, 1), (own, browser, 0)):
        moved.SetSelectedItemNumber(number)
        assert other.GetSelectedItemNumber() == number


def test_a_region_holds_for_more_frames_than_files_are_kept(slicer_app, scene, ready, apply, volume):
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Long")
    for number in range(6):
        frame = volume(f"Frame{number}", seed=number + 1)
        node.SetDataNodeAtValue(frame, str(number))
        scene.RemoveNode(frame)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.AddSynchronizedSequenceNode(node)
    slicer_app.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    proxy = browser.GetProxyNode(node)
    labels = np.zeros(slicer_app.util.arrayFromVolume(proxy).shape, np.uint8)
    labels[:, : labels.shape[1] // 2] = 1
    region = volume("Labels", array=labels, class_name="vtkMRMLLabelMapVolumeNode")
    widget = ready(node=proxy, frames="all", figures="off", region=region)
    result = apply(widget)
    assert result is not None, widget.ui.statusLabel.text
    from SurgicalStyleTransferLib.mrml import sequences

    for before, after in zip(sequences.frames(proxy), sequences.frames(result), strict=True):
        before, after = slicer_app.util.arrayFromVolume(before), slicer_app.util.arrayFromVolume(after)
        np.testing.assert_array_equal(after[labels == 0], before[labels == 0])
        assert not np.allclose(after[labels == 1], before[labels == 1])


def test_a_cancelled_sequence_leaves_no_frame(scene, ready, until, sequence):
    _browser, proxy = sequence
    widget = ready(SLOW_WORKER, node=proxy, frames="all", batchSize=16)
    nodes = scene.GetNumberOfNodes()
    widget.ui.applyButton.click()
    until(lambda: "Frame 2 of 3" in widget.ui.statusLabel.text, "the second frame")
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.style_job is None, "the end after Cancel")
    assert scene.GetNumberOfNodes() == nodes
