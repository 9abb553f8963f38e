"""The section Register to...: a transform above the input by a real worker, its checkerboard, undo, and refusals."""

import numpy as np
import pytest
import registration_phantom as phantom
from scene_helpers import composites, shift, volume_names

from surgical_style_engine.volumes.volume import Volume


@pytest.fixture
def pair(volume):
    """Nodes of a T1w and of a T2w of the same head, moved; where points of the first lie in the second; inside."""
    first, second, inside = phantom.contrasts(count=32)
    back = phantom.rigid(degrees=7, shift=(3.0, -2.0, 2.0))
    there = phantom.moved(second, back)
    nodes = [volume(name, array=each.array[0]) for name, each in (("T1", first), ("T2", there))]
    for node, each in zip(nodes, (first, there), strict=True):
        _place(node, each)
    return nodes[0], nodes[1], back.GetInverse(), inside


def _place(node, volume: Volume):
    """A node on the engine's grid: LPS and RAS differ in two signs."""
    import slicer

    matrix = np.diag([-phantom.MM, -phantom.MM, phantom.MM, 1.0])
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    assert volume.origin == (0.0, 0.0, 0.0)


def seen_at(node, ijk):
    """RAS in the world of a voxel of a node."""
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    place = (slicer.util.arrayFromVTKMatrix(matrix) @ [*ijk, 1])[:3]
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, transform)
    return np.array(transform.TransformPoint(*place))


def ready(open_panel, pair):
    widget = open_panel()
    widget._parameterNode.inputVolume = pair[1]
    widget.ui.registerSelector.setCurrentNode(pair[0])
    return widget


@pytest.fixture
def register(until):
    def press(widget):
        widget.ui.registerButton.click()
        until(lambda: widget.logic.engine.register_job is None, "the end of the registration")

    return press


def test_the_input_is_laid_over_the_other_and_goes_back(slicer_app, scene, open_panel, pair, register):
    first, second, right, inside = pair
    above = shift(first, 25.0)  # the other volume is moved itself: the input follows it there
    second.SetAndObserveTransformNodeID(above.GetID())
    before = slicer_app.util.arrayFromVolume(second).copy()
    widget = ready(open_panel, pair)
    register(widget)
    assert "T2: moved by" in widget.ui.registerStatusLabel.text, widget.ui.registerStatusLabel.text
    assert volume_names(scene)[:2] == ["Checkerboard", "T1"] and "T2 (registered)" in volume_names(scene)
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(second), before)
    places = np.argwhere(inside)[::101, ::-1]
    errors = []
    for place in places.tolist():
        there = np.divide(right.TransformPoint((np.array(place) * phantom.MM).tolist()), phantom.MM)
        errors.append(np.linalg.norm(seen_at(second, there) - seen_at(first, place)))
    assert np.mean(errors) < 1.5
    copy = slicer_app.util.getNode("T2 (registered)")
    assert copy.GetTransformNodeID() == above.GetID() and copy.GetImageData().GetDimensions() == (32, 32, 32)
    shown = [slicer_app.mrmlScene.GetNodeByID(each.GetBackgroundVolumeID()) for each in composites().values()]
    assert all(node.GetName() == "Checkerboard" for node in shown) and widget.ui.checkerboardButton.checked
    widget.ui.registerUndoButton.click()
    assert second.GetTransformNodeID() == above.GetID() and volume_names(scene) == ["T1", "T2"]
    left = [scene.GetNthNode(i) for i in range(scene.GetNumberOfNodes())]
    assert not [node for node in left if node.GetName().startswith("T2 to T1")]
    assert not widget.ui.registerUndoButton.enabled


def test_what_cannot_be_registered_is_said(scene, open_panel, pair, volume):
    widget = open_panel()
    button = widget.ui.registerButton
    widget._parameterNode.inputVolume = None
    assert not button.enabled and "Select an input volume" in button.toolTip
    widget._parameterNode.inputVolume = pair[1]
    assert not button.enabled and "Select the volume to register to" in button.toolTip
    widget.ui.registerSelector.setCurrentNode(pair[1])
    assert not button.enabled and "another volume" in button.toolTip
    widget.ui.registerSelector.setCurrentNode(pair[0])
    assert button.enabled
    widget.ui.registerThroughCheckBox.checked = True
    widget._parameterNode.model = ""
    button.click()
    assert widget.logic.engine.register_job is None and "Select a style" in widget.ui.registerStatusLabel.text


def test_a_deleted_volume_ends_it(scene, open_panel, pair):
    widget = ready(open_panel, pair)
    widget.ui.registerButton.click()
    assert widget.logic.engine.register_job is not None and widget.ui.registerButton.text == "Cancel"
    scene.RemoveNode(pair[0])
    assert widget.logic.engine.register_job is None
    assert "T1 was deleted during the registration" in widget.ui.registerStatusLabel.text
    assert volume_names(scene) == ["T2"] and pair[1].GetTransformNodeID() is None
