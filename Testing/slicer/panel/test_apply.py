"""Apply through a real worker process: the result, and every way in which it can fail."""

import os
import shutil
import signal

import numpy as np
import pytest
from slow_worker import SLOW_WORKER, worker_with


def matrix_of(slicer, node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def names(scene):
    """Names of the volumes in the scene."""
    found = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    return sorted(node.GetName() for node in found if node.IsA("vtkMRMLVolumeNode"))


@pytest.fixture
def ready(open_panel, volume):
    """An opened panel with a volume and the tiny style selected."""

    def make(command=None, style="tiny", **changes):
        widget = open_panel(command)
        widget._parameterNode.inputVolume = changes.pop("node", None) or volume()
        widget._parameterNode.model = style
        widget._parameterNode.device = "cpu"
        for name, value in changes.items():
            setattr(widget._parameterNode, name, value)
        assert widget.ui.applyButton.enabled, widget.ui.applyButton.toolTip
        return widget

    return make


@pytest.fixture
def apply(until):
    """Press Apply and wait for the end of the run."""

    def press(widget):
        widget.ui.applyButton.click()
        until(lambda: widget.logic.engine.run is None, "the end of the run")
        return widget._parameterNode.resultVolume

    return press


def test_the_template_under_a_transform(slicer_app, scene, ready, apply):
    """ICBM152 as a person would use it: result on exactly the same grid, under the same transform, beside it."""
    datasets = pytest.importorskip("nilearn.datasets")
    template = datasets.load_mni152_template(resolution=4)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "ICBM152")
    slicer_app.util.updateVolumeFromArray(node, np.ascontiguousarray(template.get_fdata().transpose(2, 1, 0)) * 1000)
    node.SetIJKToRASMatrix(slicer_app.util.vtkMatrixFromArray(template.affine))
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Turned")
    node.SetAndObserveTransformNodeID(transform.GetID())
    hierarchy = slicer_app.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Patient")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), folder)
    before = slicer_app.util.arrayFromVolume(node).copy()

    widget = ready(node=node)
    result = apply(widget)

    assert result is not None and result.GetName() == "ICBM152 T2w (synthetic)", widget.ui.statusLabel.text
    assert result.GetImageData().GetDimensions() == node.GetImageData().GetDimensions()
    np.testing.assert_array_equal(matrix_of(slicer_app, result), matrix_of(slicer_app, node))
    assert result.GetParentTransformNode() is transform
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(result)) == folder
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(node), before)
    made = slicer_app.util.arrayFromVolume(result)
    assert np.isfinite(made).all() and made.std() > 1 and not np.allclose(made, before)
    assert result.GetAttribute("SurgicalStyleTransfer.Synthetic") == "yes"
    assert result.GetAttribute("SurgicalStyleTransfer.StyleModel") == "tiny"
    assert len(result.GetAttribute("SurgicalStyleTransfer.StyleModelSHA256")) == 64
    assert "Synthetic T2w image made from ICBM152 (T1w)" in result.GetDescription()
    assert "Not acquired" in result.GetDescription()
    display = result.GetDisplayNode()
    assert not display.GetAutoWindowLevel() and display.GetWindow() > 0
    red = slicer_app.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert red.GetBackgroundVolumeID() == result.GetID()
    assert "slices in" in widget.ui.statusLabel.text and "cpu" in widget.ui.statusLabel.text
    assert widget.ui.applyButton.text == "Apply" and widget.ui.applyButton.enabled
    assert not widget.ui.progressBar.visible


def test_the_result_is_the_engines_own(slicer_app, ready, apply, tiny_folder, volume):
    """RAS and LPS, axis orders and voxel types come out right: as the engine computes it from the same file."""
    import SimpleITK as sitk

    from surgical_style_engine.inference.translate import translate_volume
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.volumes.volume import Volume

    node = volume(array=np.round(head_like()).astype(np.int16))
    result = apply(ready(node=node))
    matrix = np.diag([-1, -1, 1, 1]) @ matrix_of(slicer_app, node)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    image = sitk.GetImageFromArray(slicer_app.util.arrayFromVolume(node))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    expected = translate_volume(Volume.from_sitk(image), load_model(tiny_folder / "tiny"), device="cpu")
    np.testing.assert_allclose(slicer_app.util.arrayFromVolume(result), expected.volume.array[0], atol=0.01)


def head_like():
    from tiny_models import head

    return head(5)


def test_progress_and_cancel_leave_the_scene_as_it_was(scene, ready, until):
    widget = ready(SLOW_WORKER, batchSize=1)
    before = names(scene)
    widget.ui.applyButton.click()
    assert widget.ui.applyButton.text == "Cancel" and widget.ui.applyButton.enabled
    until(lambda: "left" in widget.ui.statusLabel.text, "progress with the time left")
    assert "Slice " in widget.ui.statusLabel.text and widget.ui.progressBar.value > 0
    assert not widget.ui.progressBar.isHidden()
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.run is None, "the end after Cancel")
    assert names(scene) == before and widget._parameterNode.resultVolume is None
    assert widget.ui.statusLabel.text == "Cancelled. The scene is as it was."
    assert widget.ui.applyButton.text == "Apply" and widget.ui.applyButton.enabled
    assert widget.logic.engine.client.running, "it stays warm"
    left = [path.name for path in widget.logic.engine.exchange.folder.iterdir()]
    assert all(name.startswith("input") for name in left), left


def test_a_worker_deaf_to_cancel_is_ended(ready, until, apply, monkeypatch):
    deaf = worker_with(
        "flag = [0]\ndef deaf(self, batch):\n    flag[0] += 1\n    time.sleep(0.1 if flag[0] == 1 else 600)\n"
        "    return run(self, batch)\nbackends.TorchRunner.run = deaf"
    )
    widget = ready(deaf, batchSize=1)
    widget.ui.applyButton.click()
    until(lambda: widget.ui.progressBar.value == 1, "the first slice")
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.run is None, "the end after Cancel")
    assert "Cancelled" in widget.ui.statusLabel.text and not widget.logic.engine.client.running


def test_apply_while_figures_are_deaf_to_their_cancel_is_done_after_them(ready, until, apply, monkeypatch, tmp_path):
    from SurgicalStyleTransferLib.worker import client as worker_client

    monkeypatch.setattr(worker_client, "GRACE_MS", 100)
    busy = worker_with(
        "from surgical_style_engine import metrics as quality\njudge = quality.quality_of\n"
        f"def slow(*a, **k):\n    open({str(tmp_path / 'judging')!r}, 'w').close()\n    time.sleep(1.5)\n"
        "    return judge(*a, **k)\nquality.quality_of = slow"
    )
    widget = ready(busy)
    first = apply(widget)
    pid = widget.logic.engine.client._process.processId()
    widget.ui.computeButton.click()
    until((tmp_path / "judging").exists, "the part that hears no cancel")
    second = apply(widget)
    assert "slices in" in widget.ui.statusLabel.text, widget.ui.statusLabel.text
    assert second is not None and first.GetID() in widget.logic.engine.results
    assert widget.logic.engine.client._process.processId() == pid


def test_a_second_apply_finds_the_worker_warm(scene, ready, apply):
    widget = ready()
    first = apply(widget)
    log = list(widget.logic.engine.client.log)
    second = apply(widget)
    assert first is not second and "(synthetic)" in second.GetName() and first.GetName() != second.GetName()
    started = [line for line in widget.logic.engine.client.log if "started" in line]
    assert len(started) == 1 and len(log) <= len(widget.logic.engine.client.log)


def test_an_output_that_was_chosen_is_replaced_and_nothing_else_is(slicer_app, scene, ready, apply, volume):
    target = volume("Mine", seed=9)
    before = slicer_app.util.arrayFromVolume(target).copy()
    widget = ready(outputVolume=target)
    result = apply(widget)
    assert result is target and target.GetName() == "Mine"
    assert not np.allclose(slicer_app.util.arrayFromVolume(target), before)
    widget._parameterNode.outputVolume = None
    other = apply(widget)
    assert other is not target and len(names(scene)) == 3


def test_a_worker_killed_from_outside(scene, ready, until, apply):
    widget = ready(SLOW_WORKER, batchSize=1)
    before = names(scene)
    widget.ui.applyButton.click()
    until(lambda: widget.ui.progressBar.value > 0, "progress")
    os.kill(widget.logic.engine.client._process.processId(), signal.SIGKILL)
    until(lambda: widget.logic.engine.run is None, "the end of the run")
    assert "ended unexpectedly" in widget.ui.statusLabel.text and "Apply starts it again" in widget.ui.statusLabel.text
    assert names(scene) == before and widget.ui.workerStateLabel.text == "not running"
    assert apply(widget) is not None, widget.ui.statusLabel.text


def test_out_of_memory(scene, ready, apply):
    widget = ready(worker_with("def none(self, batch):\n    raise MemoryError\nbackends.TorchRunner.run = none"))
    before = names(scene)
    assert apply(widget) is None
    assert "too little memory" in widget.ui.statusLabel.text and names(scene) == before
    assert widget.ui.applyButton.enabled and widget.logic.engine.client.running


def test_a_broken_style(scene, ready, apply, tiny_folder, tmp_path, open_panel, volume, until):
    folder = tmp_path / "models"
    shutil.copytree(tiny_folder / "tiny", folder / "tiny")
    weights = folder / "tiny" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    widget = open_panel(folder=folder)
    widget._parameterNode.inputVolume = volume()
    widget._parameterNode.model = "tiny"
    before = names(scene)
    assert apply(widget) is None
    assert "weights of the model tiny are damaged" in widget.ui.statusLabel.text and names(scene) == before
    weights.unlink()
    widget.panel.refresh_styles()
    assert not widget.ui.applyButton.enabled and "lacks its weights file" in widget.ui.applyButton.toolTip


def test_a_worker_that_cannot_start(scene, ready, apply):
    widget = ready(["/nonexistent/PythonSlicer"])
    before = names(scene)
    assert apply(widget) is None
    assert "could not start" in widget.ui.statusLabel.text and names(scene) == before


@pytest.mark.parametrize("which", ["input", "output"])
def test_a_node_deleted_during_the_run(scene, ready, until, volume, which):
    target = volume("Target", seed=3)
    widget = ready(SLOW_WORKER, batchSize=1, outputVolume=target)
    widget.ui.applyButton.click()
    until(lambda: widget.ui.progressBar.value > 0, "progress")
    scene.RemoveNode(widget._parameterNode.inputVolume if which == "input" else target)
    until(lambda: widget.logic.engine.run is None and not widget.logic.engine.client.busy, "the end")
    assert f"The {which} volume was deleted" in widget.ui.statusLabel.text
    assert names(scene) == (["Target"] if which == "input" else ["Head"])
    assert widget.ui.applyButton.enabled == (which == "output")


def test_the_scene_closed_during_the_run(scene, ready, until, volume):
    widget = ready(SLOW_WORKER, batchSize=1)
    widget.ui.applyButton.click()
    until(lambda: widget.ui.progressBar.value > 0, "progress")
    scene.Clear(0)
    until(lambda: not widget.logic.engine.client.busy, "the worker's answer")
    assert names(scene) == [] and widget.logic.engine.run is None
    assert widget._parameterNode is not None and widget._parameterNode.inputVolume is None
    assert not widget.ui.applyButton.enabled and not widget.ui.emptyFrame.isHidden()


def test_the_module_reloaded_during_the_run(scene, ready, until):
    widget = ready(SLOW_WORKER, batchSize=1)
    before = names(scene)
    widget.ui.applyButton.click()
    until(lambda: widget.ui.progressBar.value > 0, "progress")
    client, folder = widget.logic.engine.client, widget.logic.engine.exchange.folder
    pid = client._process.processId()
    widget.cleanup()
    assert names(scene) == before and not client.running and not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_region_from_a_segment(slicer_app, scene, ready, apply, volume):
    """Outside the segment the input stays, to the digit; the segment lies under a transform of its own."""
    node = volume()
    labels = np.zeros((12, 40, 36), np.uint8)
    labels[3:9, 8:30, 6:20] = 1
    labelmap = volume("Labels", array=labels, class_name="vtkMRMLLabelMapVolumeNode")
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg")
    segmentation.CreateDefaultDisplayNodes()
    slicer_app.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelmap, segmentation)
    scene.RemoveNode(labelmap)
    widget = ready(node=node, region=segmentation)
    assert not widget.ui.segmentComboBox.isHidden() and widget._parameterNode.segment
    before = names(scene)
    result = apply(widget)
    assert result is not None, widget.ui.statusLabel.text
    assert names(scene) == sorted([*before, result.GetName()]), "nothing temporary is left"
    made, source = slicer_app.util.arrayFromVolume(result), slicer_app.util.arrayFromVolume(node)
    np.testing.assert_array_equal(made[labels == 0], source[labels == 0])
    assert not np.allclose(made[labels == 1], source[labels == 1])

    # Moved by two voxels along the volume's first axis: so does the region.
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Shift")
    shift = np.eye(4)
    shift[:3, 3] = matrix_of(slicer_app, node)[:3, 0] * 2
    transform.SetMatrixTransformToParent(slicer_app.util.vtkMatrixFromArray(shift))
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    moved = slicer_app.util.arrayFromVolume(apply(widget))
    expected = np.roll(labels, 2, axis=2)
    np.testing.assert_array_equal(moved[expected == 0], source[expected == 0])
    assert not np.allclose(moved[expected == 1], source[expected == 1])


def test_a_region_from_a_labelmap(slicer_app, ready, apply, volume):
    node = volume()
    labels = np.zeros((12, 40, 36), np.uint8)
    labels[3:9, 8:30, 6:20] = 1
    region = volume("Labels", array=labels, class_name="vtkMRMLLabelMapVolumeNode")
    result = apply(ready(node=node, region=region))
    made, source = slicer_app.util.arrayFromVolume(result), slicer_app.util.arrayFromVolume(node)
    np.testing.assert_array_equal(made[labels == 0], source[labels == 0])
    assert not np.allclose(made[labels == 1], source[labels == 1])


def test_colours(slicer_app, ready, apply, volume):
    array = np.random.default_rng(0).integers(0, 255, (1, 40, 36, 3)).astype(np.uint8)
    array[:, :10] = 0
    node = volume("Photo", array=array, class_name="vtkMRMLVectorVolumeNode")
    result = apply(ready(style="tiny-colour", node=node))
    assert result.IsA("vtkMRMLVectorVolumeNode") and result.GetName() == "Photo Painting (synthetic)"
    made = slicer_app.util.arrayFromVolume(result)
    assert made.shape == array.shape and made.dtype == np.uint8 and not np.array_equal(made, array)


def test_strength_without_running_the_network_again(slicer_app, ready, apply, until, volume):
    node = volume()
    widget = ready(node=node)
    result = apply(widget)
    whole = slicer_app.util.arrayFromVolume(result).copy()
    requests = widget.logic.engine.client._count
    widget.ui.strengthSlider.value = 0.0
    engine = widget.logic.engine
    until(lambda: engine.results[result.GetID()].strength == 0.0, "the blend")
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(result), slicer_app.util.arrayFromVolume(node))
    assert result.GetAttribute("SurgicalStyleTransfer.SyntheticStrength") == "0"
    for value in (0.2, 0.4, 0.6, 0.8, 1.0):
        widget.ui.strengthSlider.value = value
    until(lambda: engine.results[result.GetID()].strength == 1.0, "the blend")
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(result), whole)
    assert engine.client._count - requests <= 4, "the latest position wins"
    # With another volume selected, the slider is for the next run.
    widget._parameterNode.inputVolume = volume("Other", seed=4)
    widget.ui.strengthSlider.value = 0.3
    for _ in range(100):
        slicer_app.app.processEvents()
    until(lambda: not engine.client.busy, "quiet")
    assert engine.results[result.GetID()].strength == 1.0


def test_a_blend_that_comes_late_touches_no_volume_of_another_scene(slicer_app, scene, ready, apply, until, volume):
    widget = ready()
    result = apply(widget)
    number = result.GetID()
    answers = []
    engine = widget.logic.engine
    engine.adjust(number, 0.0, lambda: answers.append("done"), lambda code, message: answers.append((code, message)))
    scene.Clear(0)
    others = [volume(f"Of another patient {index}", seed=index + 5) for index in range(3)]
    taken = next(node for node in others if node.GetID() == number)
    before = slicer_app.util.arrayFromVolume(taken).copy(), taken.GetDescription()
    until(lambda: answers, "the answer")
    assert answers == [("stopped", "")]
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(taken), before[0])
    assert taken.GetDescription() == before[1] and not taken.GetAttribute("SurgicalStyleTransfer.Synthetic")
    # And the slider works on.
    widget.enter()
    widget._parameterNode.inputVolume, widget._parameterNode.model = taken, "tiny"
    again = apply(widget)
    widget.ui.strengthSlider.value = 0.0
    until(lambda: engine.results[again.GetID()].strength == 0.0, "the blend")


def test_strength_after_the_worker_was_stopped_waits_for_the_next_run(slicer_app, ready, apply):
    widget = ready()
    result = apply(widget)
    widget.ui.stopWorkerButton.click()
    assert widget.logic.engine.results == {} and not widget.ui.computeButton.enabled
    before = slicer_app.util.arrayFromVolume(result).copy()
    widget.ui.strengthSlider.value = 0.5
    for _ in range(50):
        slicer_app.app.processEvents()
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(result), before)
    again = apply(widget)
    assert again.GetAttribute("SurgicalStyleTransfer.SyntheticStrength") == "0.5"


@pytest.fixture
def sequence(slicer_app, scene, volume):
    """Three frames, played by a browser; returns the proxy."""
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Series")
    node.SetIndexName("time")
    node.SetIndexUnit("s")
    for number in range(3):
        frame = volume(f"Frame{number}", seed=number + 1)
        node.SetDataNodeAtValue(frame, str(number * 5))
        scene.RemoveNode(frame)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.AddSynchronizedSequenceNode(node)
    slicer_app.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser, browser.GetProxyNode(node)


def test_all_frames_of_a_sequence(slicer_app, scene, ready, apply, until, sequence, monkeypatch):
    import SurgicalStyleTransferLib.panel.panel as panel

    browser, proxy = sequence
    asked = []
    monkeypatch.setattr(panel.Panel, "_ask_frames", lambda self, count: asked.append(count) or "all")
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
        np.testing.assert_array_equal(matrix_of(slicer_app, result), matrix_of(slicer_app, proxy))
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
    widget.panel._links.close()
    browser.SetSelectedItemNumber(2)
    assert own.GetSelectedItemNumber() != 2
    # What happens when a scene was loaded.
    widget.panel.set_parameters(widget._parameterNode)
    for moved, other, number in ((browser, own, 1), (own, browser, 0)):
        moved.SetSelectedItemNumber(number)
        assert other.GetSelectedItemNumber() == number


def test_only_this_frame_or_none(scene, ready, apply, sequence, monkeypatch):
    import SurgicalStyleTransferLib.panel.panel as panel

    browser, proxy = sequence
    answers = ["", "current"]
    monkeypatch.setattr(panel.Panel, "_ask_frames", lambda self, count: answers.pop(0))
    widget = ready(node=proxy)
    before = names(scene)
    assert apply(widget) is None and names(scene) == before and widget._parameterNode.frames == "ask"
    result = apply(widget)
    assert browser.GetSequenceNode(result) is None and result.GetImageData() is not None


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
    until(lambda: widget.logic.engine.run is None, "the end after Cancel")
    assert scene.GetNumberOfNodes() == nodes


def test_a_volume_that_does_not_look_right_is_warned_about_but_not_blocked(slicer_app, ready, until, volume):
    node = volume(array=np.where(head_like() > 0, head_like() / 10, -1000).astype(np.float32))
    widget = ready(node=node)
    until(lambda: not widget.ui.warningLabel.isHidden(), "the warning")
    assert "like CT in HU; the model expects MR" in widget.ui.warningLabel.text and widget.ui.applyButton.enabled
    widget._parameterNode.inputVolume = volume("Good")
    until(lambda: widget.panel._checked[0] == widget._parameterNode.inputVolume.GetID(), "another check")
    until(lambda: not widget.logic.engine.client.busy, "its answer")
    assert widget.ui.warningLabel.isHidden()


def test_a_modality_that_dicom_states_wrong_blocks_with_the_reason(slicer_app, scene, ready, until, volume):
    node = volume()
    hierarchy = slicer_app.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    name = slicer_app.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(node), name, "CT")
    widget = ready(node=node)
    until(lambda: not widget.ui.applyButton.enabled, "the check")
    assert "is CT by its header" in widget.ui.applyButton.toolTip
    assert "is CT by its header" in widget.ui.warningLabel.text


def test_a_real_mr_volume_of_a_patient(slicer_app, scene, ready, apply, shared_data):
    """A raw T1w of the shared data: oblique, anisotropic, with skull; every other voxel, to be quick."""
    import SimpleITK as sitk

    found = sorted((shared_data / "open-ms").rglob("*T1W.nii.gz"))
    if not found:
        pytest.skip("no T1w volume in the shared data")
    image = sitk.ReadImage(str(found[0]))[::3, ::3, ::3]
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Patient")
    slicer_app.util.updateVolumeFromArray(node, sitk.GetArrayFromImage(image))
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    node.SetIJKToRASMatrix(slicer_app.util.vtkMatrixFromArray(np.diag([-1, -1, 1, 1]) @ matrix))
    result = apply(ready(node=node))
    assert result is not None
    np.testing.assert_array_equal(matrix_of(slicer_app, result), matrix_of(slicer_app, node))


@pytest.mark.parametrize(("press", "answer"), [("This frame", "current"), ("All frames", "all"), ("Cancel", "")])
def test_the_question_about_frames(slicer_app, open_panel, monkeypatch, press, answer):
    import qt

    def exec_(box):
        assert "one of 3 frames" in box.text
        button = next(entry for entry in box.buttons() if entry.text.replace("&", "") == press)
        button.click()
        return 0

    monkeypatch.setattr(qt.QMessageBox, "exec_", exec_, raising=False)
    assert open_panel().panel._ask_frames(3) == answer
