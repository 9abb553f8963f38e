"""The preview of the style in a slice view."""

from pathlib import Path

import numpy as np
import pytest

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_the_preview_follows_the_slice_view_and_goes_without_a_trace(slicer_app, scene, ready, until, monkeypatch):
    widget = ready()
    node = widget._parameterNode.inputVolume
    nodes = scene.GetNumberOfNodes()
    manager = slicer_app.app.layoutManager()
    red = manager.sliceWidget("Red").mrmlSliceNode()
    composite = manager.sliceWidget("Red").mrmlSliceCompositeNode()
    composite.SetForegroundOpacity(0.3)

    def look_at(index):
        """Axial view through the middle of a slice of the volume."""
        import vtk

        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        centre = matrix.MultiplyPoint((18, 20, index, 1))
        red.SetOrientation("Axial")
        red.JumpSlice(*centre[:3])

    look_at(5)
    widget.ui.previewCheckBox.checked = True
    until(lambda: composite.GetForegroundVolumeID() is not None, "the preview")
    until(lambda: not widget.logic.engine.client.busy, "quiet")
    shown = scene.GetNodeByID(composite.GetForegroundVolumeID())
    assert composite.GetForegroundOpacity() == 1.0 and shown.GetHideFromEditors() and not shown.GetSaveWithScene()
    first = slicer_app.util.arrayFromVolume(shown).copy()
    assert first.shape[0] == 1
    # Previews alone: the worker is asked for its devices, and to measure the computer, when it has time.
    client, asked = widget.logic.engine.client, []
    request = client.request
    monkeypatch.setattr(
        client, "request", lambda task, *given, **values: asked.append(task) or request(task, *given, **values)
    )
    for index in (6, 7, 8, 9):
        look_at(index)
    until(lambda: not widget.logic.engine.client.busy, "quiet")
    assert 1 <= asked.count("preview") <= 2, "the latest position wins"
    last = slicer_app.util.arrayFromVolume(shown).copy()
    assert not np.array_equal(first, last)

    # The very pixels of the whole translation: here turned into canonical axes by the preview.
    widget.ui.previewCheckBox.checked = False
    assert composite.GetForegroundVolumeID() is None and composite.GetForegroundOpacity() == pytest.approx(0.3)
    assert scene.GetNumberOfNodes() == nodes
    widget._parameterNode.batchSize = 1
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.style_job is None, "the end of the run")
    whole = slicer_app.util.arrayFromVolume(widget._parameterNode.resultVolume)
    # x and y point to the right and front in this volume; canonical ones to the left and back.
    assert min(np.abs(last[0] - whole[9]).max(), np.abs(last[0] - whole[9][::-1, ::-1]).max()) < 0.5


def test_the_preview_follows_the_volume_and_leaves_nothing_in_a_saved_scene(slicer_app, scene, ready, until):
    widget = ready()
    node = widget._parameterNode.inputVolume
    composite = slicer_app.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    widget.ui.previewCheckBox.checked = True
    until(lambda: composite.GetForegroundVolumeID() is not None, "the preview")
    until(lambda: not widget.logic.engine.client.busy, "quiet")
    shown = scene.GetNodeByID(composite.GetForegroundVolumeID())
    assert not shown.GetDisplayNode().GetSaveWithScene()
    first = slicer_app.util.arrayFromVolume(shown).copy()
    # As a sequence's next frame comes: other voxels in the same node.
    array = slicer_app.util.arrayFromVolume(node)
    array[:] = array[:, ::-1].copy()
    slicer_app.util.arrayFromVolumeModified(node)
    until(lambda: not np.array_equal(first, slicer_app.util.arrayFromVolume(shown)), "the other frame's preview")
    widget.ui.previewCheckBox.checked = False
    requests = widget.logic.engine.client._count
    slicer_app.util.arrayFromVolumeModified(node)
    assert widget.logic.engine.client._count == requests, "nothing follows any more"


def test_the_preview_outside_of_the_volume_says_so(slicer_app, ready, until):
    widget = ready()
    slicer_app.app.layoutManager().sliceWidget("Red").mrmlSliceNode().JumpSlice(0, 0, 9999)
    widget.ui.previewCheckBox.checked = True
    until(lambda: "shows no slice" in widget.ui.previewMessageLabel.text, "the message")
    assert not widget.ui.previewMessageLabel.isHidden()
    widget.ui.previewCheckBox.checked = False


def test_leaving_the_module_takes_the_preview_away(slicer_app, ready, until):
    widget = ready()
    widget.ui.previewCheckBox.checked = True
    composite = slicer_app.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    until(lambda: not widget.logic.engine.client.busy and widget.panel.preview.preview.active, "the preview")
    widget.exit()
    assert composite.GetForegroundVolumeID() is None and not widget.panel.preview.preview.active
    widget.enter()
    assert widget.panel.preview.preview.active, "and coming back shows it again"
