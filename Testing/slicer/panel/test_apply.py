"""Apply through a real worker process: the result, cancelling, and nodes that go meanwhile."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from scene_helpers import matrix_of, volume_names
from tiny_models import head
from worker_commands import SLOW_WORKER

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


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
    np.testing.assert_array_equal(matrix_of(result), matrix_of(node))
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

    node = volume(array=np.round(head(5)).astype(np.int16))
    result = apply(ready(node=node))
    matrix = np.diag([-1, -1, 1, 1]) @ matrix_of(node)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    image = sitk.GetImageFromArray(slicer_app.util.arrayFromVolume(node))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    expected = translate_volume(Volume.from_sitk(image), load_model(tiny_folder / "tiny"), device="cpu")
    np.testing.assert_allclose(slicer_app.util.arrayFromVolume(result), expected.volume.array[0], atol=0.01)


def test_progress_and_cancel_leave_the_scene_as_it_was(scene, ready, until):
    widget = ready(SLOW_WORKER, batchSize=1)
    before = volume_names(scene)
    widget.ui.applyButton.click()
    assert widget.ui.applyButton.text == "Cancel" and widget.ui.applyButton.enabled
    until(lambda: "left" in widget.ui.statusLabel.text, "progress with the time left")
    assert "Slice " in widget.ui.statusLabel.text and widget.ui.progressBar.value > 0
    assert not widget.ui.progressBar.isHidden()
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.style_job is None, "the end after Cancel")
    assert volume_names(scene) == before and widget._parameterNode.resultVolume is None
    assert widget.ui.statusLabel.text == "Cancelled. The scene is as it was."
    assert widget.ui.applyButton.text == "Apply" and widget.ui.applyButton.enabled
    assert widget.logic.engine.client.running, "it stays warm"
    left = [path.name for path in widget.logic.engine.exchange.folder.glob("[!.]*")]
    assert all(name.startswith("input") for name in left), left


def test_a_broken_style(scene, ready, apply, tiny_folder, tmp_path, open_panel, volume, until):
    folder = tmp_path / "models"
    shutil.copytree(tiny_folder / "tiny", folder / "tiny")
    weights = folder / "tiny" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    widget = open_panel(folder=folder)
    widget._parameterNode.inputVolume = volume()
    widget._parameterNode.model = "tiny"
    before = volume_names(scene)
    assert apply(widget) is None
    assert "weights of the model tiny are damaged" in widget.ui.statusLabel.text and volume_names(scene) == before
    weights.unlink()
    widget.panel.refresh_styles()
    assert not widget.ui.applyButton.enabled and "lacks its weights file" in widget.ui.applyButton.toolTip


@pytest.mark.parametrize("which", ["input", "output"])
def test_a_node_deleted_during_the_run(scene, ready, until, volume, which, monkeypatch):
    from SurgicalStyleTransferLib.panel.apply import ApplySection

    monkeypatch.setattr(ApplySection, "ask_overwriting", lambda self, output, source: "replaced")
    target = volume("Target", seed=3)
    widget = ready(SLOW_WORKER, batchSize=1, outputVolume=target)
    widget.ui.applyButton.click()
    until(lambda: widget.ui.progressBar.value > 0, "progress")
    scene.RemoveNode(widget._parameterNode.inputVolume if which == "input" else target)
    until(lambda: widget.logic.engine.style_job is None and not widget.logic.engine.client.busy, "the end")
    assert f"The {which} volume was deleted" in widget.ui.statusLabel.text
    assert volume_names(scene) == (["Target"] if which == "input" else ["Head"])
    assert widget.ui.applyButton.enabled == (which == "output")


def test_the_scene_closed_during_the_run(scene, ready, until, volume):
    widget = ready(SLOW_WORKER, batchSize=1)
    widget.ui.applyButton.click()
    until(lambda: widget.ui.progressBar.value > 0, "progress")
    scene.Clear(0)
    until(lambda: not widget.logic.engine.client.busy, "the worker's answer")
    assert volume_names(scene) == [] and widget.logic.engine.style_job is None
    assert widget._parameterNode is not None and widget._parameterNode.inputVolume is None
    assert not widget.ui.applyButton.enabled and not widget.ui.emptyFrame.isHidden()


def test_the_module_reloaded_during_the_run(scene, ready, until):
    widget = ready(SLOW_WORKER, batchSize=1)
    before = volume_names(scene)
    widget.ui.applyButton.click()
    until(lambda: widget.ui.progressBar.value > 0, "progress")
    client, folder = widget.logic.engine.client, widget.logic.engine.exchange.folder
    pid = client._process.processId()
    widget.cleanup()
    assert volume_names(scene) == before and not client.running and not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_colours(slicer_app, ready, apply, volume):
    array = np.random.default_rng(0).integers(0, 255, (1, 40, 36, 3)).astype(np.uint8)
    array[:, :10] = 0
    node = volume("Photo", array=array, class_name="vtkMRMLVectorVolumeNode")
    result = apply(ready(style="tiny-colour", node=node))
    assert result.IsA("vtkMRMLVectorVolumeNode") and result.GetName() == "Photo Painting (synthetic)"
    made = slicer_app.util.arrayFromVolume(result)
    assert made.shape == array.shape and made.dtype == np.uint8 and not np.array_equal(made, array)


def test_only_this_frame_or_none(scene, ready, apply, sequence, monkeypatch):
    from SurgicalStyleTransferLib.panel.apply import ApplySection

    browser, proxy = sequence
    answers = ["", "current"]
    monkeypatch.setattr(ApplySection, "ask_frames", lambda self, count: answers.pop(0))
    widget = ready(node=proxy)
    before = volume_names(scene)
    assert apply(widget) is None and volume_names(scene) == before and widget._parameterNode.frames == "ask"
    result = apply(widget)
    assert browser.GetSequenceNode(result) is None and result.GetImageData() is not None


@pytest.mark.parametrize(("press", "answer"), [("This frame", "current"), ("All frames", "all"), ("Cancel", "")])
def test_the_question_about_frames(slicer_app, open_panel, monkeypatch, press, answer):
    import qt

    def exec_(box):
        assert "one of 3 frames" in box.text
        button = next(entry for entry in box.buttons() if entry.text.replace("&", "") == press)
        button.click()
        return 0

    monkeypatch.setattr(qt.QMessageBox, "exec_", exec_, raising=False)
    assert open_panel().panel.apply.ask_frames(3) == answer


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
    np.testing.assert_array_equal(matrix_of(result), matrix_of(node))
