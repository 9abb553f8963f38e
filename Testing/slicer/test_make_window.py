"""The pictures of the window show what the scene's slice views show, beside the panel."""

import numpy as np
import pytest


def values(image):
    from PySide6 import QtGui

    plain = image.convertToFormat(QtGui.QImage.Format.Format_RGB888)
    rows = np.frombuffer(plain.constBits(), np.uint8, plain.sizeInBytes()).reshape(plain.height(), plain.bytesPerLine())
    return rows[:, : 3 * plain.width()].reshape(plain.height(), plain.width(), 3).astype(int)


@pytest.fixture
def board(slicer_app, scene):
    """A volume that is bright where R, A and S are all positive, in every slice view."""
    from pictures import window

    array = np.zeros((40, 40, 40), np.float32)
    array[20:, 20:, 20:] = 100
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Board")
    slicer_app.util.updateVolumeFromArray(node, array)
    node.SetOrigin(-20, -20, -20)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(100, 50)
    window.four_up(node)
    return node


def test_slice_views_are_drawn_as_radiologists_see_them(board):
    """Right is at the left, anterior at the top of an axial view."""
    from pictures import slices, window

    size = 220
    slices.fit("Red", size, size)
    slices._logic("Red").GetSliceNode().SetSliceOffset(10.0)
    drawn = values(slices.picture("Red", size, size))
    assert (drawn[5, 110] == (0xF3, 0x4A, 0x33)).all()  # the bar
    assert drawn[80, 70].min() > 200 and drawn[80, 150].max() < 60 and drawn[160, 70].max() < 60
    whole = values(window.views(402, 402))
    assert whole.shape == (402, 402, 3) and len(window.places(402, 402)) == 4


def test_two_volumes_lie_side_by_side_and_move_together(board, scene, slicer_app, tmp_path):
    from pictures import window
    from PIL import Image

    other = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Other")
    slicer_app.util.updateVolumeFromArray(other, 100 - slicer_app.util.arrayFromVolume(board))
    other.SetOrigin(-20, -20, -20)
    other.CreateDefaultDisplayNodes()
    window.side_by_side(board, other)
    above, below = (values(window.views(400, 220, offset=offset)) for offset in (10.0, -10.0))
    left, right = above[60:200, 40:160], above[60:200, 242:362]
    assert left.std() > 50 and right.std() > 50 and np.corrcoef(left.ravel(), right.ravel())[0, 1] < -0.9
    assert below[60:200, 40:160].std() < 20  # nothing is bright there
    window.save_animation([window.views(400, 220, offset=offset) for offset in (10.0, -10.0)], tmp_path / "x.gif", 100)
    assert Image.open(tmp_path / "x.gif").n_frames == 2


@pytest.mark.parametrize("width", [350, 480, 800])
def test_the_window_holds_the_panel_at_its_width(width, board, open_panel):
    from pictures import window

    widget = open_panel()
    widget.parent._target.show()
    drawn = values(window.window(widget.parent._target, panel_width=width, shown=widget.ui.applyButton._target))
    assert drawn.shape == (window.HEIGHT, window.WIDTH, 3)
    panel = drawn[window.TITLE :, :width]
    assert panel.std() > 5 and drawn[:, width + window.GAP :].std() > 5
