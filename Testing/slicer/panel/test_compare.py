"""The section Compare: the slice views show input and result, and come back as they were."""

from pathlib import Path

import pytest
from scene_helpers import composites, plane, state

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_side_by_side_and_back(slicer_app, done):
    widget = done()
    parameters = widget._parameterNode
    before = state()
    widget.ui.sidesButton.click()
    assert parameters.compare == "sides" and widget.ui.sidesButton.checked
    shown = composites()
    assert set(shown) == {"Red", "Yellow"}
    assert shown["Red"].GetBackgroundVolumeID() == parameters.inputVolume.GetID()
    assert shown["Yellow"].GetBackgroundVolumeID() == parameters.resultVolume.GetID()
    assert all(node.GetLinkedControl() and node.GetHotLinkedControl() for node in shown.values())
    manager = slicer_app.app.layoutManager()
    red, yellow = (manager.sliceWidget(name).mrmlSliceNode() for name in ("Red", "Yellow"))
    assert red.GetOrientation() == yellow.GetOrientation()
    # From one way of comparing to the other, and all the way back.
    widget.ui.fadeButton.click()
    assert parameters.compare == "fade" and not widget.ui.sidesButton.checked
    assert set(composites()) == {"Red", "Yellow", "Green"}
    widget.ui.fadeSlider.value = 0.25
    for node in composites().values():
        assert node.GetBackgroundVolumeID() == parameters.inputVolume.GetID()
        assert node.GetForegroundVolumeID() == parameters.resultVolume.GetID()
        assert node.GetForegroundOpacity() == pytest.approx(0.25)
    widget.ui.restoreButton.click()
    assert state() == before and parameters.compare == "" and not widget.ui.fadeButton.checked


def test_oblique_and_moved_views_come_back_as_they_were(slicer_app, done):
    import vtk

    widget = done()
    manager = slicer_app.app.layoutManager()
    red, yellow = (manager.sliceWidget(name).mrmlSliceNode() for name in ("Red", "Yellow"))
    for node, angle in ((red, 20), (yellow, 35)):
        turn = vtk.vtkTransform()
        turn.RotateX(angle)
        turn.Translate(1, 2, angle)
        node.GetSliceToRAS().DeepCopy(turn.GetMatrix())
        node.SetFieldOfView(100 + angle, 90, 1)
        node.UpdateMatrices()
        assert node.GetOrientation() == "Reformat"
    before = state()
    widget.ui.sidesButton.click()
    assert plane("Red")[1] == plane("Yellow")[1]
    widget.ui.restoreButton.click()
    assert state() == before


def test_without_a_main_window_there_are_no_views_and_no_errors(slicer_app, ready, until, monkeypatch):
    monkeypatch.setattr(slicer_app.app, "layoutManager", lambda: None)
    monkeypatch.setattr(slicer_app.util, "setSliceViewerLayers", lambda **layers: None)
    widget = ready()
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.style_job is None, "the end of the run")
    assert widget._parameterNode.resultVolume is not None, widget.ui.statusLabel.text
    for button in (widget.ui.sidesButton, widget.ui.fadeButton, widget.ui.checkerboardButton, widget.ui.restoreButton):
        button.click()
    widget.ui.previewCheckBox.checked = True
    assert not widget.panel.preview.preview.active
    widget.exit()
    widget.enter()


def test_pressing_the_button_again_goes_back_too(slicer_app, done):
    widget = done()
    before = state()
    widget.ui.fadeButton.click()
    assert state() != before
    widget.ui.fadeButton.click()
    assert state() == before


def test_nothing_to_compare_before_a_run(ready):
    widget = ready()
    assert not widget.ui.sidesButton.enabled and widget.ui.sidesButton.toolTip == "Apply a style or fuse volumes first."
    assert not widget.ui.exportButton.enabled and not widget.ui.computeButton.enabled


def test_side_by_side_from_an_oblique_view(slicer_app, done, capfd):
    """Its orientation has no name that could be set; its plane is taken over."""
    import math

    widget = done()
    red = slicer_app.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    matrix = red.GetSliceToRAS()
    for (row, column), value in {(1, 1): math.cos(0.3), (2, 1): math.sin(0.3), (1, 2): -math.sin(0.3)}.items():
        matrix.SetElement(row, column, value)
    matrix.SetElement(2, 2, math.cos(0.3))
    red.UpdateMatrices()
    before = plane("Red")[1]
    capfd.readouterr()
    widget.ui.sidesButton.click()
    assert "ERR" not in capfd.readouterr().err
    assert plane("Yellow")[1] == before
