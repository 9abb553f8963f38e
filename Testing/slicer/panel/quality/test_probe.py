"""The value under the mouse with its bound, where the image lies, also under a transform."""

import numpy as np
import pytest


@pytest.fixture
def probe(slicer_app, scene, volume):
    import qt

    from SurgicalStyleTransferLib.panel.quality.probe import Probe

    array = np.arange(12 * 40 * 36, dtype=np.float32).reshape(12, 40, 36)
    result, bound = volume("T2w (synthetic)", array=array), volume("Bound", array=np.full(array.shape, 60, np.float32))
    result.SetAttribute("SurgicalStyleTransfer.SyntheticTo", "T2w")
    values = slicer_app.util.arrayFromVolume(bound)
    values[3], values[4] = 250, -1
    made = Probe(qt.QLabel())
    made.look_at(result, bound, 200)
    return made, result, array


def place_of(node, index):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return list(matrix.MultiplyPoint([*index, 1.0])[:3])


def test_value_and_bound(probe):
    made, result, array = probe
    value = array[2, 20, 10]
    assert made.text_at(place_of(result, (10, 20, 2))) == f"T2w {value:.4g} ± 60"
    assert made.text_at(place_of(result, (10.3, 19.8, 2.4))) == f"T2w {value:.4g} ± 60", "the nearest voxel"
    assert "outside of what can be trusted here" in made.text_at(place_of(result, (10, 20, 3)))
    outside = made.text_at(place_of(result, (10, 20, 4)))
    assert "outside of the body" in outside and "±" not in outside
    assert made.text_at(place_of(result, (10, 20, 40))) == ""


def test_it_follows_the_transform_of_the_image(slicer_app, scene, probe):
    made, result, array = probe
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Away")
    shift = np.eye(4)
    shift[0, 3] = 50
    transform.SetMatrixTransformToParent(slicer_app.util.vtkMatrixFromArray(shift))
    place = place_of(result, (10, 20, 2))
    result.SetAndObserveTransformNodeID(transform.GetID())
    moved = [place[0] + 50, *place[1:]]
    assert made.text_at(moved) == f"T2w {array[2, 20, 10]:.4g} ± 60"


def test_it_follows_the_mouse_until_there_is_nothing_to_say(slicer_app, scene, volume):
    import qt

    from SurgicalStyleTransferLib.panel.quality.probe import Probe

    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode") or scene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    result, bound = volume("Result", array=np.full((12, 40, 36), 412, np.float32)), volume("Bound")
    slicer_app.util.arrayFromVolume(bound)[:] = 60
    label = qt.QLabel()
    probe = Probe(label)
    probe.look_at(result, bound, 200)
    crosshair.SetCursorPositionRAS(place_of(result, (10, 20, 2)))
    assert label.text.endswith("412 ± 60")
    probe.look_at(None, None, 0)
    crosshair.SetCursorPositionRAS(place_of(result, (11, 20, 2)))
    assert label.text == "" and label.isHidden()
