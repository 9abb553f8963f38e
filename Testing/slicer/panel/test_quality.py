"""The section Quality: metrics, what they are of, plot, map, export, worst slices."""

import csv
from pathlib import Path

import numpy as np
import pytest
from scene_helpers import composites, shift

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
    assert {"Lost there and back", "Lost there and back, twice", "Structure kept", "MAE", "PSNR", "SSIM"} <= set(shown)
    assert float(shown["Lost there and back"]) > 0 and shown["PSNR"].endswith(" dB")
    terms = {table.item(row, 0).text(): table.item(row, 0).toolTip() for row in range(table.rowCount)}
    assert terms["Lost there and back"].startswith("Look-Ahead Score: ")
    assert widget.ui.qualityCollapsibleButton.collapsed and "slices in" in widget.ui.statusLabel.text

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
    assert f"slice {worst[0]['slice'] + 1}: structure kept" in ui.worstList.item(0).text()
    assert ui.worstList.item(0).toolTip() == "Semantic Consistency"
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


@pytest.fixture
def segmentation(slicer_app, scene, volume):
    """A segmentation of one box on the grid of the usual volume."""
    labels = np.zeros((12, 40, 36), np.uint8)
    labels[3:9, 8:30, 6:20] = 1
    labelmap = volume("Labels", array=labels, class_name="vtkMRMLLabelMapVolumeNode")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg")
    node.CreateDefaultDisplayNodes()
    slicer_app.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelmap, node)
    scene.RemoveNode(labelmap)
    return node


def is_grey(ui):
    colours = {ui.figuresTable.item(row, 1).foreground().color().name() for row in range(ui.figuresTable.rowCount)}
    return colours == {"#888888"}


class Mark:
    """What the line under the table must say of figures that are there."""

    def __init__(self, widget, details):
        self.ui = widget.ui
        self.text = f"Of {widget._parameterNode.resultVolume.GetName()}. {details}"

    def is_stale(self, *changes):
        assert self.ui.judgedLabel.text == f"Out of date: {', '.join(changes)} changed since. {self.text}"
        assert is_grey(self.ui) and self.ui.computeButton.enabled

    def is_fresh(self):
        assert self.ui.judgedLabel.text == self.text and not self.ui.judgedLabel.isHidden() and not is_grey(self.ui)


def stated(widget, path):
    """Titles and texts at the beginning of an exported table."""
    widget.panel.quality.export(str(path))
    return {line[0]: line[1] for line in csv.reader(path.open(encoding="utf-8")) if len(line) > 1}


def test_the_table_is_marked_as_soon_as_a_choice_changes(done, until, volume, segmentation):
    """Before anything is computed; and no more when the choice is taken back."""
    reference = volume("Reference", seed=2)
    widget = done(referenceVolume=reference, region=segmentation, figures="quick")
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
    ui, name = widget.ui, segmentation.GetSegmentation().GetNthSegment(0).GetName()
    mark = Mark(widget, f"Strength: 1.00; Region: Seg, {name}; Adjustments: none; Reference: Reference.")
    mark.is_fresh()
    ui.strengthSlider.value = 0.4
    mark.is_stale("the strength")
    ui.strengthSlider.value = 1.0
    mark.is_fresh()
    ui.biasCheckBox.checked = True
    mark.is_stale("the adjustments")
    ui.biasCheckBox.checked = False
    mark.is_fresh()
    for selector, node, what in (
        (ui.regionSelector, segmentation, "the region"),
        (ui.referenceSelector, reference, "the reference"),
    ):
        selector.setCurrentNode(None)
        mark.is_stale(what)
        selector.setCurrentNode(node)
        mark.is_fresh()


def test_the_table_is_marked_when_reference_or_region_change_themselves(
    slicer_app, done, until, volume, segmentation, tmp_path
):
    """Their places and voxels are no parameters; the exported table says so, too."""
    reference = volume("Reference", seed=2)
    widget = done(referenceVolume=reference, region=segmentation, figures="quick")
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
    segment = segmentation.GetSegmentation().GetNthSegment(0)
    region = f"Seg, {segment.GetName()}"
    mark = Mark(widget, f"Strength: 1.00; Region: {region}; Adjustments: none; Reference: Reference.")
    assert stated(widget, tmp_path / "figures.csv")["Changed since"] == "nothing"
    shift(reference, 5.0)
    mark.is_stale("the reference")
    reference.SetAndObserveTransformNodeID(None)
    mark.is_fresh()
    slicer_app.util.arrayFromVolume(reference)[:] += 1
    slicer_app.util.arrayFromVolumeModified(reference)
    mark.is_stale("the reference")
    segment.GetRepresentation("Binary labelmap").Modified()
    segmentation.GetSegmentation().InvokeEvent(slicer_app.vtkSegmentation.SourceRepresentationModified)
    mark.is_stale("the region", "the reference")
    texts = stated(widget, tmp_path / "figures.csv")
    assert (texts["Strength"], texts["Region"]) == ("1.00", region)
    assert (texts["Adjustments"], texts["Reference"]) == ("none", "Reference")
    assert texts["Changed since"] == "the region, the reference"


def test_another_result_leaves_the_table_marked_until_it_is_judged(scene, done, apply, until):
    widget = done(figures="quick")
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
    ui, parameters, quality = widget.ui, widget._parameterNode, widget.panel.quality
    mark = Mark(widget, "Strength: 1.00; Region: whole volume; Adjustments: none; Reference: none.")
    before = quality.verdict
    parameters.figures = "off"
    apply(widget)
    mark.is_stale("the result")
    ui.computeButton.click()
    until(lambda: quality.verdict is not before, "the figures")
    assert ui.judgedLabel.text.startswith(f"Of {parameters.resultVolume.GetName()}. ") and not is_grey(ui)
    scene.RemoveNode(parameters.resultVolume)
    assert ui.judgedLabel.isHidden()


def test_judging_is_begun_anew_when_the_image_is_blended_meanwhile(done, until):
    widget = done()
    ui, engine, quality = widget.ui, widget.logic.engine, widget.panel.quality
    result = engine.results[widget._parameterNode.resultVolume.GetID()]
    ui.computeButton.click()
    assert engine.metrics_job is not None
    ui.strengthSlider.value = 0.25
    widget.panel.adjust._adjust()  # at once, while the image is judged; by itself it waits for the slider to rest
    until(lambda: quality.verdict is not None, "the figures")
    assert quality.verdict.judged.strength == 0.25 == result.strength
    assert ui.judgedLabel.text.startswith("Of ") and "Strength: 0.25" in ui.judgedLabel.text
    assert ui.computeButton.text == "Compute" and ui.progressBar.isHidden() and "Judging" not in ui.statusLabel.text


def test_stopped_while_the_image_is_blended_it_stays_stopped(slicer_app, done, until):
    widget = done()
    ui, engine = widget.ui, widget.logic.engine
    ui.strengthSlider.value = 0.25
    until(lambda: engine.adjust_job is not None, "the blend's beginning")
    ui.computeButton.click()
    assert ui.computeButton.text == "Stop" and engine.metrics_job is None
    ui.computeButton.click()
    until(lambda: engine.adjust_job is None and not engine.client.busy, "the blend")
    assert engine.metrics_job is None and ui.computeButton.text == "Compute"
    assert widget.panel.quality.verdict is None


def test_what_acts_before_the_network_is_not_claimed_by_blending(done, until):
    """The bias field stays in the image until the next Apply, whatever the panel says."""
    widget = done()
    ui, engine = widget.ui, widget.logic.engine
    result = engine.results[widget._parameterNode.resultVolume.GetID()]
    ui.biasCheckBox.checked = True
    ui.strengthSlider.value = 0.25
    until(lambda: result.strength == 0.25, "the blend")
    ui.computeButton.click()
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
    assert "Adjustments: none" in ui.judgedLabel.text and "the adjustments changed" in ui.judgedLabel.text


def test_an_empty_reference_is_said(scene, done):
    widget = done(referenceVolume=scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty"))
    widget.ui.computeButton.click()
    assert widget.ui.statusLabel.text == "The reference is empty." and widget.ui.computeButton.text == "Compute"


def test_figures_are_of_the_image_that_is_shown(done, until, volume):
    """Without any strength it is the input; what the network makes stands beside it under that name."""
    widget = done(referenceVolume=volume("Reference", seed=2), strength=0.0, figures="quick")
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
    metrics = widget.panel.quality.verdict.metrics
    floor = metrics["reference"]["floors"]["input"]["psnr"]
    assert metrics["reference"]["psnr"] == pytest.approx(floor, abs=0.02)
    assert abs(metrics["network"]["reference"]["psnr"] - floor) > 0.5
    table = widget.ui.figuresTable
    shown = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount)}
    assert shown["PSNR"] == f"{metrics['reference']['psnr']:.2f} dB" != shown["Network: PSNR"]
    assert "Strength: 0.00" in widget.ui.judgedLabel.text
