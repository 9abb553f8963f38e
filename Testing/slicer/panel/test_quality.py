"""The section Quality: metrics, what they are of, plot, map, export, worst slices."""

import csv
from pathlib import Path

import numpy as np
import pytest
from scene_helpers import composites

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_the_map_of_a_closed_scene_takes_no_foreground_away(slicer_app, scene, done, until, volume):
    widget = done(figures="all")
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
    widget.ui.mapCheckBox.checked = True
    assert widget.panel.quality._map_shown
    scene.Clear(0)
    slicer_app.app.layoutManager().setLayout(slicer_app.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    other = volume("Foreground of a loaded scene")
    for node in composites().values():
        node.SetForegroundVolumeID(other.GetID())
    widget.enter()
    widget.panel.update()
    assert all(node.GetForegroundVolumeID() == other.GetID() for node in composites().values())


def test_figures_after_a_run_with_plot_map_and_csv(slicer_app, scene, done, until, volume, tmp_path):
    widget = done(figures="all", referenceVolume=volume("Reference", seed=2))
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
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
    assert all(entry.GetForegroundVolumeID() == error.GetID() for entry in composites().values())
    widget.ui.mapCheckBox.checked = False
    assert all(not entry.GetForegroundVolumeID() for entry in composites().values())

    widget.panel.quality.export(str(tmp_path / "figures.csv"))
    lines = list(csv.reader((tmp_path / "figures.csv").open(encoding="utf-8")))
    stated = {line[0]: line[1] for line in lines if len(line) > 1}
    assert stated["Volume"] == parameters.resultVolume.GetName() and stated["PSNR"] == shown["PSNR"]
    assert lines[-1][0] == "11" and len(lines[-1]) == 6
    widget.panel.quality.export(str(tmp_path / "absent" / "figures.csv"))
    assert "cannot be written" in widget.ui.statusLabel.text
    assert [path.name for path in tmp_path.iterdir()] == ["figures.csv"]


def test_a_reference_moved_by_a_transform_is_judged_where_it_lies(slicer_app, scene, done, until, volume):
    """The same volume as reference: moved away by a transform it must be judged worse, under a shear not at all."""
    reference = volume("Reference", seed=2)
    widget = done(referenceVolume=reference, figures="quick")
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
    straight = widget.panel.quality.verdict.metrics["reference"]["mae"]
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Away")
    shift = np.eye(4)
    shift[0, 3] = 8
    transform.SetMatrixTransformToParent(slicer_app.util.vtkMatrixFromArray(shift))
    reference.SetAndObserveTransformNodeID(transform.GetID())
    before = widget.panel.quality.verdict
    widget.ui.computeButton.click()
    until(lambda: widget.panel.quality.verdict is not before, "the figures")
    assert widget.panel.quality.verdict.metrics["reference"]["mae"] != pytest.approx(straight)
    sheared = np.eye(4)
    sheared[0, 1] = 0.5
    transform.SetMatrixTransformToParent(slicer_app.util.vtkMatrixFromArray(sheared))
    widget.ui.computeButton.click()
    assert "harden the transform first" in widget.ui.statusLabel.text
    assert widget.ui.computeButton.text == "Compute"


def test_figures_can_be_stopped(done, until):
    widget = done()
    assert widget.panel.quality.verdict is None, "only on request"
    widget.ui.computeButton.click()
    assert widget.ui.computeButton.text == "Stop" and not widget.ui.progressBar.isHidden()
    widget.ui.computeButton.click()
    until(lambda: widget.logic.engine.metrics_job is None, "the stop")
    assert widget.ui.computeButton.text == "Compute" and widget.ui.progressBar.isHidden()


def test_a_deleted_result_takes_its_figures_along(scene, done, until):
    widget = done(figures="quick")
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
    scene.RemoveNode(widget._parameterNode.resultVolume)
    assert widget.panel.quality.verdict is None and widget.ui.figuresTable.rowCount == 0
    assert widget.logic.engine.results == {} and not widget.ui.plotButton.enabled


def test_the_worst_slices_are_one_click_away(slicer_app, scene, ready, apply, until):
    import vtk

    widget = ready(figures="all")
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Turned")
    matrix = np.array([[0, -1, 0, 12], [1, 0, 0, -7], [0, 0, 1, 5], [0, 0, 0, 1]], float)
    transform.SetMatrixTransformToParent(slicer_app.util.vtkMatrixFromArray(matrix))
    widget._parameterNode.inputVolume.SetAndObserveTransformNodeID(transform.GetID())
    apply(widget)
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
    ui, worst = widget.ui, widget.panel.quality.verdict.metrics["worst"]
    assert worst and ui.worstList.count == len(worst) and not ui.worstList.isHidden()
    assert f"slice {worst[0]['slice'] + 1}: Semantic Consistency" in ui.worstList.item(0).text()
    result = widget._parameterNode.resultVolume
    size = result.GetImageData().GetDimensions()
    inside = vtk.vtkMatrix4x4()
    result.GetIJKToRASMatrix(inside)
    for row, entry in enumerate(worst):
        ui.worstList.itemClicked.emit(ui.worstList.item(row))
        # The slice's centre in the world: the volume's own matrix, then its transform.
        ijk = [(size[0] - 1) / 2, (size[1] - 1) / 2, entry["slice"], 1]
        place = (matrix @ slicer_app.util.arrayFromVTKMatrix(inside) @ ijk)[:3]
        for name in ("Red", "Yellow", "Green"):
            node = slicer_app.app.layoutManager().sliceWidget(name).mrmlSliceNode()
            found = [node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)]
            np.testing.assert_allclose(found, place, atol=0.01)
    ui.worstList.itemActivated.emit(ui.worstList.item(0))
    scene.RemoveNode(result)
    assert ui.worstList.count == 0 and ui.worstList.isHidden()
