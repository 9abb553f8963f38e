"""Input and translation as squares of a checkerboard, and nothing of it left afterwards."""

from pathlib import Path

import numpy as np
import pytest
from scene_helpers import composites, state

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def squares(slicer, node):
    return slicer.util.arrayFromVolume(node).astype(int)


def test_one_click_shows_it_and_another_goes_back(slicer_app, scene, done):
    widget = done()
    parameters, before = widget._parameterNode, state()
    volumes = scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode")
    displays = scene.GetNumberOfNodesByClass("vtkMRMLDisplayNode")
    widget.ui.checkerboardButton.click()
    assert parameters.compare == "checkerboard" and widget.ui.checkerboardButton.checked
    board = widget.panel.compare.views._board.node
    assert all(shown.GetBackgroundVolumeID() == board.GetID() for shown in composites().values())
    assert board.GetHideFromEditors() and not board.GetSaveWithScene()
    widget.ui.sidesButton.click()
    assert widget.panel.compare.views._board.node is None and parameters.compare == "sides"
    widget.ui.restoreButton.click()
    assert state() == before
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == volumes
    assert scene.GetNumberOfNodesByClass("vtkMRMLDisplayNode") == displays


def test_its_voxels_are_those_of_the_two_volumes_as_displayed(slicer_app, done):
    from SurgicalStyleTransferLib.mrml import checkerboard

    widget = done()
    parameters = widget._parameterNode
    pair = parameters.inputVolume, parameters.resultVolume
    for node, window in zip(pair, ((900, 400), (300, 500)), strict=True):
        node.GetDisplayNode().SetAutoWindowLevel(False)
        node.GetDisplayNode().SetWindowLevel(*window)
    widget.ui.checkerboardButton.click()
    board = widget.panel.compare.views._board.node
    values = [
        np.clip((slicer_app.util.arrayFromVolume(node) - level) / window * 255 + 127.5, 0, 255)
        for node, (window, level) in zip(pair, ((900, 400), (300, 500)), strict=True)
    ]
    shown = squares(slicer_app, board)
    near = [np.abs(shown - array) <= 1.5 for array in values]
    assert (near[0] | near[1]).all()
    # Both have their share, and squares lie where the divisions say.
    assert min(near[0].mean(), near[1].mean()) > 0.3
    parts = checkerboard.divisions(pair[0])
    assert max(parts) > 1
    corner = tuple(slice(0, max(1, size // part)) for size, part in zip(shown.shape, parts[::-1], strict=True))
    assert near[0][corner].all() or near[1][corner].all()
    assert np.allclose(_matrix(board), _matrix(pair[0]))
    assert board.GetTransformNodeID() == pair[0].GetTransformNodeID()


def _matrix(node):
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def test_it_follows_the_strength_and_the_next_result(slicer_app, scene, done, until):
    widget = done()
    widget.ui.checkerboardButton.click()
    first = squares(slicer_app, widget.panel.compare.views._board.node).copy()
    widget.ui.strengthSlider.value = 0.0
    until(lambda: next(iter(widget.logic.engine.results.values())).strength == 0, "the other strength")
    widget.panel.update()
    assert not np.array_equal(first, squares(slicer_app, widget.panel.compare.views._board.node))
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.style_job is None, "the next result")
    board = widget.panel.compare.views._board
    assert board.concerns(widget._parameterNode.resultVolume.GetID())
    assert all(shown.GetBackgroundVolumeID() == board.node.GetID() for shown in composites().values())


def test_it_follows_a_window_and_voxels_that_change_outside_of_the_panel(slicer_app, done, until):
    widget = done()
    widget.ui.checkerboardButton.click()
    board = widget.panel.compare.views._board

    def changes(change):
        before = squares(slicer_app, board.node).copy()
        change()
        until(lambda: not np.array_equal(before, squares(slicer_app, board.node)), "the other squares")

    source = widget._parameterNode.inputVolume

    def window():
        source.GetDisplayNode().SetAutoWindowLevel(False)
        source.GetDisplayNode().SetWindowLevel(150, 500)

    def voxels():
        slicer_app.util.arrayFromVolume(source)[:] += 40
        slicer_app.util.arrayFromVolumeModified(source)

    changes(window)
    changes(voxels)
    widget.ui.restoreButton.click()
    window()
    assert not board._observers and not board._timer.active


@pytest.mark.parametrize("which", ["inputVolume", "resultVolume"])
def test_a_volume_that_goes_takes_it_along(slicer_app, scene, done, which):
    widget = done()
    widget.ui.checkerboardButton.click()
    board_id = widget.panel.compare.views._board.node.GetID()
    scene.RemoveNode(getattr(widget._parameterNode, which))
    assert scene.GetNodeByID(board_id) is None and widget._parameterNode.compare == ""
    assert not widget.ui.checkerboardButton.checked


def test_a_closed_scene_and_colours(slicer_app, scene, done, volume):
    from SurgicalStyleTransferLib.mrml.checkerboard import Checkerboard

    widget = done()
    widget.ui.checkerboardButton.click()
    scene.Clear(0)
    assert widget.panel.compare.views._board.node is None
    grey = volume("Grey")
    colour = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Colour")
    shape = slicer_app.util.arrayFromVolume(grey).shape
    slicer_app.util.updateVolumeFromArray(colour, np.full((*shape, 3), (250, 20, 90), np.uint8))
    board = Checkerboard()
    node = board.show(grey, colour)
    assert node.IsA("vtkMRMLVectorVolumeNode")
    shown = slicer_app.util.arrayFromVolume(node).reshape(-1, 3)
    red = (shown == (250, 20, 90)).all(axis=1)
    assert 0.2 < red.mean() < 0.8 and (np.ptp(shown[~red], axis=1) == 0).all()
    board.remove()
