"""The section Adjust through a real worker process, and the list of the worst slices."""

import numpy as np
import pytest


@pytest.fixture
def ready(open_panel, volume):
    """An opened panel with a volume and the tiny style selected."""

    def make(**changes):
        widget = open_panel()
        parameters = widget._parameterNode
        parameters.inputVolume = volume()
        parameters.model, parameters.device = "tiny", "cpu"
        for name, value in changes.items():
            setattr(parameters, name, value)
        return widget

    return make


@pytest.fixture
def apply(slicer_app, until):
    """Press Apply, wait, and give a copy of the result's voxels."""

    def press(widget):
        widget.ui.applyButton.click()
        until(lambda: widget.logic.engine.run is None, "the end of the run")
        result = widget._parameterNode.resultVolume
        assert result is not None, widget.ui.statusLabel.text
        return slicer_app.util.arrayFromVolume(result).copy()

    return press


@pytest.fixture
def settled(slicer_app, until):
    """Wait until the result is adjusted as the panel says, and give a copy of its voxels."""

    def wait(widget):
        result = widget._parameterNode.resultVolume
        kept = widget.logic.engine.results[result.GetID()]
        until(lambda: not widget.panel.adjustments.differs(kept), "the adjusting")
        return slicer_app.util.arrayFromVolume(result).copy()

    return wait


def expected(slicer_app, tiny_folder, widget, **adjustments):
    """What the engine makes of the panel's input with some adjustments."""
    from test_fusion_panel import engines_volume

    from surgical_style_engine.adjust.options import Adjustments
    from surgical_style_engine.inference.translate import translate_volume
    from surgical_style_engine.models.folder import load_model

    planes, strength = adjustments.pop("planes", None), adjustments.pop("strength", 1.0)
    made = translate_volume(
        engines_volume(slicer_app, widget._parameterNode.inputVolume),
        load_model(tiny_folder / "tiny"),
        device="cpu",
        planes=planes,
        strength=strength,
        adjustments=Adjustments(**adjustments),
    )
    return made.volume.array[0]


def close(made, wanted, much=0.05):
    assert np.abs(made - wanted).mean() < much, np.abs(made - wanted).mean()


def test_the_section_begins_closed_and_off(ready):
    ui = ready().ui
    assert ui.adjustCollapsibleButton.collapsed and ui.guardSpinBox.value == 0
    assert ui.guardSpinBox.specialValueText == "off" and ui.guardSpinBox.suffix == " mm"
    assert ui.matchSelector.currentNode() is None and not ui.matchByComboBox.enabled
    assert not ui.consistencySpinBox.enabled and ui.strengthSlider.enabled
    assert not ui.biasCheckBox.checked and not ui.ensembleCheckBox.checked and not ui.automaticCheckBox.checked
    assert ui.adjustNoteLabel.isHidden() and ui.worstList.isHidden() and ui.worstLabel.isHidden()


def test_choices_survive_saving_and_loading_the_scene(scene, ready, volume):
    widget = ready()
    ui = widget.ui
    ui.guardSpinBox.value = 3.5
    ui.matchSelector.setCurrentNode(volume("Reference", seed=4))
    ui.matchByComboBox.currentIndex = 1
    for box in (ui.biasCheckBox, ui.automaticCheckBox, ui.ensembleCheckBox):
        box.checked = True
    ui.consistencySpinBox.value = 0.8
    scene.SetSaveToXMLString(1)
    scene.Commit()
    text = scene.GetSceneXMLString()
    scene.SetSaveToXMLString(0)
    scene.Clear(0)
    assert ui.guardSpinBox.value == 0 and not ui.automaticCheckBox.checked and ui.strengthSlider.enabled
    scene.SetLoadFromXMLString(1)
    scene.SetSceneXMLString(text)
    scene.Import()
    scene.SetLoadFromXMLString(0)
    wanted = widget.panel.adjustments.wanted()
    assert (wanted.structure_guard_mm, wanted.match_by, wanted.least_consistency) == (3.5, "moments", 0.8)
    assert wanted.flatten_bias and wanted.ensemble and ui.matchByComboBox.currentData == "moments"
    assert scene.GetNodeByID(wanted.match_id).GetName() == "Reference"
    assert ui.guardSpinBox.value == 3.5 and ui.consistencySpinBox.value == 0.8 and not ui.strengthSlider.enabled


def test_every_apply_takes_them_along(slicer_app, ready, apply, tiny_folder, volume):
    from test_fusion_panel import engines_volume

    reference = volume("Reference", array=np.sqrt(head_like(4)) * 20)
    widget = ready(structureGuard=6.0, matchVolume=reference, flattenBias=True)
    made = apply(widget)
    wanted = expected(
        slicer_app,
        tiny_folder,
        widget,
        structure_guard_mm=6.0,
        match=engines_volume(slicer_app, reference),
        flatten_bias=True,
    )
    close(made, wanted)
    assert np.abs(made - expected(slicer_app, tiny_folder, widget)).mean() > 5, "they change something"
    said = widget._parameterNode.resultVolume.GetAttribute("SurgicalStyleTransfer.SyntheticAdjustments")
    assert "structure guard 6 mm" in said and "histogram" in said and "N4" in said


def head_like(seed):
    from tiny_models import head

    return head(seed)


def test_an_ensemble_averages_over_the_planes_too(slicer_app, ready, apply, tiny_folder):
    widget = ready(ensemble=True)
    made = apply(widget)
    planes = ["axial", "coronal", "sagittal"]
    close(made, expected(slicer_app, tiny_folder, widget, ensemble=True, planes=planes))
    widget._parameterNode.plane = "axial"
    close(apply(widget), expected(slicer_app, tiny_folder, widget, ensemble=True, planes=["axial"]))


def test_after_a_run_the_network_does_not_run_again(slicer_app, ready, apply, settled, tiny_folder, volume):
    from test_fusion_panel import engines_volume

    widget = ready()
    ui, result = widget.ui, None
    plain = apply(widget)
    result = widget._parameterNode.resultVolume
    tasks = []
    client = widget.logic.engine.client
    request = client.request
    client.request = lambda task, *arguments, **named: tasks.append(task) or request(task, *arguments, **named)

    ui.guardSpinBox.value = 6.0
    close(settled(widget), expected(slicer_app, tiny_folder, widget, structure_guard_mm=6.0))
    assert "structure guard 6 mm" in result.GetAttribute("SurgicalStyleTransfer.SyntheticAdjustments")
    ui.guardSpinBox.value = 0.0
    close(settled(widget), plain)

    reference = volume("Reference", array=np.sqrt(head_like(4)) * 20)
    ui.matchSelector.setCurrentNode(reference)
    ui.matchByComboBox.currentIndex = ui.matchByComboBox.findData("moments")
    target = engines_volume(slicer_app, reference)
    close(settled(widget), expected(slicer_app, tiny_folder, widget, match=target, match_by="moments"))
    # The volume to match to goes: the result is as without it.
    slicer_app.mrmlScene.RemoveNode(reference)
    close(settled(widget), plain)

    ui.strengthSlider.value = 0.5
    close(settled(widget), expected(slicer_app, tiny_folder, widget, strength=0.5))
    assert set(tasks) <= {"adjust", "check"}, tasks
    count = len(tasks)
    # What acts before the network waits for the next Apply.
    ui.biasCheckBox.checked = True
    ui.ensembleCheckBox.checked = True
    for _ in range(60):
        slicer_app.app.processEvents()
    assert len(tasks) == count


def test_the_automatic_strength(slicer_app, ready, apply, settled):
    widget = ready(automaticStrength=True, leastConsistency=0.0)
    ui = widget.ui
    whole = apply(widget)
    assert not ui.adjustNoteLabel.isHidden() and "Strength 1.00 was chosen" in ui.adjustNoteLabel.text
    ui.consistencySpinBox.value = 0.97
    less = settled(widget)
    kept = widget.logic.engine.results[widget._parameterNode.resultVolume.GetID()]
    assert 0 <= kept.used_strength < 1 and kept.consistency >= 0.97 and not np.allclose(less, whole)
    assert f"Strength {kept.used_strength:.2f} was chosen" in ui.adjustNoteLabel.text
    source = slicer_app.util.arrayFromVolume(widget._parameterNode.inputVolume)
    assert np.abs(less - source).mean() < np.abs(whole - source).mean()
    ui.automaticCheckBox.checked = False
    np.testing.assert_allclose(settled(widget), whole, atol=1e-3)
    assert ui.adjustNoteLabel.isHidden() and ui.strengthSlider.enabled


def test_what_cannot_be_done_is_said_once(slicer_app, scene, ready, apply, until, volume):
    widget = ready()
    before = apply(widget)
    nothing = volume("Blank", array=np.full((8, 20, 20), np.nan, np.float32))
    widget.ui.matchSelector.setCurrentNode(nothing)
    until(lambda: "to match holds NaN" in widget.ui.statusLabel.text, "the sentence")
    sent = widget.logic.engine.client._count
    for _ in range(3):
        widget.panel.update()
        for _ in range(60):
            slicer_app.app.processEvents()
    assert widget.logic.engine.client._count == sent
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(widget._parameterNode.resultVolume), before)


def test_the_worst_slices_are_one_click_away(slicer_app, scene, ready, apply, until):
    import vtk

    widget = ready(figures="all")
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Turned")
    matrix = np.array([[0, -1, 0, 12], [1, 0, 0, -7], [0, 0, 1, 5], [0, 0, 0, 1]], float)
    transform.SetMatrixTransformToParent(slicer_app.util.vtkMatrixFromArray(matrix))
    widget._parameterNode.inputVolume.SetAndObserveTransformNodeID(transform.GetID())
    apply(widget)
    until(lambda: widget.panel.figures is not None, "the figures")
    ui, worst = widget.ui, widget.panel.figures["worst"]
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
