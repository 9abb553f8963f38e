"""After a run: preview, compare, figures, plot, overlay, export."""

import csv

import numpy as np
import pytest


@pytest.fixture
def ready(open_panel, volume):
    def make(command=None, **changes):
        widget = open_panel(command)
        widget._parameterNode.inputVolume = volume()
        widget._parameterNode.model = "tiny"
        widget._parameterNode.device = "cpu"
        for name, value in changes.items():
            setattr(widget._parameterNode, name, value)
        return widget

    return make


@pytest.fixture
def done(ready, until):
    """A panel whose run is over."""

    def make(**changes):
        widget = ready(**changes)
        widget.ui.applyButton.click()
        until(lambda: widget.logic.engine.run is None, "the end of the run")
        assert widget._parameterNode.resultVolume is not None, widget.ui.statusLabel.text
        return widget

    return make


def composites(slicer):
    manager = slicer.app.layoutManager()
    return {name: manager.sliceWidget(name).mrmlSliceCompositeNode() for name in manager.sliceViewNames()}


def state(slicer):
    manager = slicer.app.layoutManager()
    return manager.layout, {
        name: (
            node.GetBackgroundVolumeID(),
            node.GetForegroundVolumeID(),
            node.GetForegroundOpacity(),
            node.GetLinkedControl(),
            node.GetHotLinkedControl(),
            *plane(slicer, name),
        )
        for name, node in composites(slicer).items()
    }


def plane(slicer, name):
    """Where a slice view lies and how much it shows."""
    node = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
    matrix = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
    return node.GetOrientation(), tuple(matrix.round(9).ravel()), node.GetFieldOfView()


def test_side_by_side_and_back(slicer_app, done):
    widget = done()
    parameters = widget._parameterNode
    before = state(slicer_app)
    widget.ui.sidesButton.click()
    assert parameters.compare == "sides" and widget.ui.sidesButton.checked
    shown = composites(slicer_app)
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
    assert set(composites(slicer_app)) == {"Red", "Yellow", "Green"}
    widget.ui.fadeSlider.value = 0.25
    for node in composites(slicer_app).values():
        assert node.GetBackgroundVolumeID() == parameters.inputVolume.GetID()
        assert node.GetForegroundVolumeID() == parameters.resultVolume.GetID()
        assert node.GetForegroundOpacity() == pytest.approx(0.25)
    widget.ui.restoreButton.click()
    assert state(slicer_app) == before and parameters.compare == "" and not widget.ui.fadeButton.checked


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
    before = state(slicer_app)
    widget.ui.sidesButton.click()
    assert plane(slicer_app, "Red")[1] == plane(slicer_app, "Yellow")[1]
    widget.ui.restoreButton.click()
    assert state(slicer_app) == before


def test_without_a_main_window_there_are_no_views_and_no_errors(slicer_app, ready, until, monkeypatch):
    monkeypatch.setattr(slicer_app.app, "layoutManager", lambda: None)
    monkeypatch.setattr(slicer_app.util, "setSliceViewerLayers", lambda **layers: None)
    widget = ready()
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.run is None, "the end of the run")
    assert widget._parameterNode.resultVolume is not None, widget.ui.statusLabel.text
    for button in (widget.ui.sidesButton, widget.ui.fadeButton, widget.ui.checkerboardButton, widget.ui.restoreButton):
        button.click()
    widget.ui.previewCheckBox.checked = True
    assert not widget.panel.preview.active
    widget.exit()
    widget.enter()


def test_the_map_of_a_closed_scene_takes_no_foreground_away(slicer_app, scene, done, until, volume):
    widget = done(figures="all")
    until(lambda: widget.panel.figures is not None, "the figures")
    widget.ui.mapCheckBox.checked = True
    assert widget.panel._map_shown
    scene.Clear(0)
    slicer_app.app.layoutManager().setLayout(slicer_app.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    other = volume("Foreground of a loaded scene")
    for node in composites(slicer_app).values():
        node.SetForegroundVolumeID(other.GetID())
    widget.enter()
    widget.panel.update()
    assert all(node.GetForegroundVolumeID() == other.GetID() for node in composites(slicer_app).values())


def test_pressing_the_button_again_goes_back_too(slicer_app, done):
    widget = done()
    before = state(slicer_app)
    widget.ui.fadeButton.click()
    assert state(slicer_app) != before
    widget.ui.fadeButton.click()
    assert state(slicer_app) == before


def test_nothing_to_compare_before_a_run(ready):
    widget = ready()
    assert not widget.ui.sidesButton.enabled and widget.ui.sidesButton.toolTip == "Apply a style or fuse volumes first."
    assert not widget.ui.exportButton.enabled and not widget.ui.computeButton.enabled


def test_figures_after_a_run_with_plot_map_and_csv(slicer_app, scene, done, until, volume, tmp_path):
    widget = done(figures="all", referenceVolume=volume("Reference", seed=2))
    until(lambda: widget.panel.figures is not None, "the figures")
    parameters, table = widget._parameterNode, widget.ui.figuresTable
    shown = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount)}
    assert {"Look-Ahead Score", "Jigsaw Puzzle Error", "Semantic Consistency", "MAE", "PSNR", "SSIM"} <= set(shown)
    assert float(shown["Look-Ahead Score"]) > 0 and shown["PSNR"].endswith(" dB")
    assert not widget.ui.qualityCollapsibleButton.collapsed and "slices in" in widget.ui.statusLabel.text

    widget.ui.plotButton.click()
    chart = slicer_app.util.getNodesByClass("vtkMRMLPlotChartNode")[0]
    series = slicer_app.util.getNodesByClass("vtkMRMLPlotSeriesNode")
    assert chart.GetNumberOfPlotSeriesNodes() == len(series) == 3
    node = series[0].GetTableNode()
    assert node.GetNumberOfRows() == 12 and node.GetNumberOfColumns() == 6
    nodes = scene.GetNumberOfNodes()
    widget.ui.plotButton.click()
    assert scene.GetNumberOfNodes() == nodes, "the same nodes are used again"

    error = scene.GetFirstNodeByName(f"{parameters.resultVolume.GetName()} cycle error")
    assert error.GetImageData().GetDimensions() == parameters.inputVolume.GetImageData().GetDimensions()
    assert slicer_app.util.arrayFromVolume(error).max() > 0
    widget.ui.mapCheckBox.checked = True
    assert all(entry.GetForegroundVolumeID() == error.GetID() for entry in composites(slicer_app).values())
    widget.ui.mapCheckBox.checked = False
    assert all(not entry.GetForegroundVolumeID() for entry in composites(slicer_app).values())

    widget.panel.export(str(tmp_path / "figures.csv"))
    lines = list(csv.reader((tmp_path / "figures.csv").open(encoding="utf-8")))
    stated = {line[0]: line[1] for line in lines if len(line) > 1}
    assert stated["Volume"] == parameters.resultVolume.GetName() and stated["PSNR"] == shown["PSNR"]
    assert lines[-1][0] == "11" and len(lines[-1]) == 6
    widget.panel.export(str(tmp_path / "absent" / "figures.csv"))
    assert "cannot be written" in widget.ui.statusLabel.text
    assert [path.name for path in tmp_path.iterdir()] == ["figures.csv"]


def test_a_reference_moved_by_a_transform_is_judged_where_it_lies(slicer_app, scene, done, until, volume):
    """The same volume as reference: moved away by a transform it must be judged worse, under a shear not at all."""
    reference = volume("Reference", seed=2)
    widget = done(referenceVolume=reference, figures="quick")
    until(lambda: widget.panel.figures is not None, "the figures")
    straight = widget.panel.figures["reference"]["mae"]
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Away")
    shift = np.eye(4)
    shift[0, 3] = 8
    transform.SetMatrixTransformToParent(slicer_app.util.vtkMatrixFromArray(shift))
    reference.SetAndObserveTransformNodeID(transform.GetID())
    widget.panel.figures = None
    widget.ui.computeButton.click()
    until(lambda: widget.panel.figures is not None, "the figures")
    assert widget.panel.figures["reference"]["mae"] != pytest.approx(straight)
    sheared = np.eye(4)
    sheared[0, 1] = 0.5
    transform.SetMatrixTransformToParent(slicer_app.util.vtkMatrixFromArray(sheared))
    widget.ui.computeButton.click()
    assert "harden the transform first" in widget.ui.statusLabel.text
    assert widget.ui.computeButton.text == "Compute"


def test_figures_can_be_stopped(done, until):
    widget = done()
    assert widget.panel.figures is None, "only on request"
    widget.ui.computeButton.click()
    assert widget.ui.computeButton.text == "Stop" and not widget.ui.progressBar.isHidden()
    widget.ui.computeButton.click()
    until(lambda: widget.panel._figures_request is None, "the stop")
    assert widget.ui.computeButton.text == "Compute" and widget.ui.progressBar.isHidden()


def test_a_deleted_result_takes_its_figures_along(scene, done, until):
    widget = done(figures="quick")
    until(lambda: widget.panel.figures is not None, "the figures")
    scene.RemoveNode(widget._parameterNode.resultVolume)
    assert widget.panel.figures is None and widget.ui.figuresTable.rowCount == 0
    assert widget.logic.engine.results == {} and not widget.ui.plotButton.enabled


def test_the_preview_follows_the_slice_view_and_goes_without_a_trace(slicer_app, scene, ready, until):
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
    requests = widget.logic.engine.client._count
    for index in (6, 7, 8, 9):
        look_at(index)
    until(lambda: not widget.logic.engine.client.busy, "quiet")
    assert widget.logic.engine.client._count - requests <= 2, "the latest position wins"
    last = slicer_app.util.arrayFromVolume(shown).copy()
    assert not np.array_equal(first, last)

    # The very pixels of the whole translation: here turned into canonical axes by the preview.
    widget.ui.previewCheckBox.checked = False
    assert composite.GetForegroundVolumeID() is None and composite.GetForegroundOpacity() == pytest.approx(0.3)
    assert scene.GetNumberOfNodes() == nodes
    widget._parameterNode.batchSize = 1
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.run is None, "the end of the run")
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
    until(lambda: not widget.logic.engine.client.busy and widget.panel.preview.active, "the preview")
    widget.exit()
    assert composite.GetForegroundVolumeID() is None and not widget.panel.preview.active
    widget.enter()
    assert widget.panel.preview.active, "and coming back shows it again"
