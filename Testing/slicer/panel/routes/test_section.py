"""A style for many domains: to which, from which inputs, and what these are, through a real worker process."""

import numpy as np
import pytest
from scene_helpers import engines_volume, matrix_of, shift
from tiny_models import head, make_tiny_many, make_tiny_mixture, make_tiny_model

from surgical_style_engine.app.translate_case import TranslateCase, translate_case
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.models.folder import load_model

SHAPE = (8, 26, 24)


@pytest.fixture
def patient(volume):
    """T1w and FLAIR of one head, and a volume of which nobody says what it is."""
    first = head(3, SHAPE)
    flair = np.where(first > 0, 900 - first, 0).astype(np.float32)
    return volume("p1_T1", array=first), volume("p1_FLAIR", array=flair), volume("p1_x", array=first // 2)


@pytest.fixture
def opened(open_panel, tmp_path, patient):
    """An opened panel with T1w as input and a style for T1w, T2w and FLAIR; a pair style is beside it."""
    make_tiny_many(tmp_path / "mine")
    make_tiny_model(tmp_path / "mine", "pair")
    widget = open_panel(folder=tmp_path / "mine")
    parameters = widget._parameterNode
    parameters.inputVolume, parameters.model = patient[0], "tiny-many"
    parameters.device, parameters.precision = "cpu", "fp32"
    return widget


def targets(widget):
    combo = widget.ui.directionComboBox
    return [combo.itemText(index) for index in range(combo.count)]


def inputs(widget):
    """(name, what it is shown to be) of each line."""
    table = widget.ui.routeTable
    return [(table.item(row, 0).text(), table.cellWidget(row, 1).currentText) for row in range(table.rowCount)]


def say(widget, row, domain):
    """Choose what an input is."""
    box = widget.ui.routeTable.cellWidget(row, 1)
    box.currentIndex = box.findData(domain)


def add(widget, node):
    widget.ui.routeSelector.setCurrentNode(node)
    widget.ui.routeAddButton.click()


def preview_of(slicer_app, scene, widget, node, until, slice_number):
    """What the red view shows of a slice while the preview is on, (y, x) with canonical axes."""
    import vtk

    views = slicer_app.app.layoutManager().sliceWidget("Red")
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    views.mrmlSliceNode().SetOrientation("Axial")
    views.mrmlSliceNode().JumpSlice(*matrix.MultiplyPoint((12, 13, slice_number, 1))[:3])
    widget.ui.previewCheckBox.checked = True
    until(lambda: views.mrmlSliceCompositeNode().GetForegroundVolumeID() is not None, "the preview")
    until(lambda: not widget.logic.engine.client.busy, "quiet")
    shown = scene.GetNodeByID(views.mrmlSliceCompositeNode().GetForegroundVolumeID())
    image = slicer_app.util.arrayFromVolume(shown)[0].copy()
    widget.ui.previewCheckBox.checked = False
    return image


def test_several_inputs_into_a_contrast(slicer_app, scene, opened, patient, apply, until, tmp_path):
    ui, parameters = opened.ui, opened._parameterNode
    assert opened.panel.help.section_of_tutorial() == "any-contrast-from-several-inputs"
    assert not ui.routeFrame.isHidden() and ui.directionLabel.text == "To:"
    assert ui.reasonLabel.text == "It is being found out what p1_T1 is." and not ui.applyButton.enabled
    until(lambda: ui.applyButton.enabled, "the recognition")
    assert inputs(opened) == [("p1_T1", "T1w (recognised)")] and targets(opened) == ["T2w", "FLAIR"]
    assert parameters.direction == "T1w>T2w" and "the name 'p1_T1'" in ui.routeNoteLabel.text
    add(opened, patient[1])
    until(lambda: ui.applyButton.enabled, "the recognition")
    assert targets(opened) == ["T2w"] and parameters.direction == "T1w+FLAIR>T2w" and not ui.directionComboBox.enabled
    assert "T1w + FLAIR" in ui.cardLabel.text and ui.routeSelector.currentNode() is None
    for node, sentence in ((patient[1], "is in the list already"), (patient[2], "at most 2 inputs")):
        add(opened, node)
        assert sentence in ui.statusLabel.text and len(inputs(opened)) == 2
    moved = shift(patient[1], 2.0)
    seen = preview_of(slicer_app, scene, opened, patient[0], until, slice_number=4)
    node = apply(opened)
    assert node is not None, ui.statusLabel.text
    expected = translate_case(
        TranslateCase(
            engines_volume(patient[0]),
            load_model(tmp_path / "mine" / "tiny-many"),
            "T1w+FLAIR>T2w",
            others=(engines_volume(patient[1], moved_l=-2.0),),
            options=RunOptions(device="cpu", precision="fp32"),
        )
    )
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(node), expected.translation.volume.array[0])
    np.testing.assert_array_equal(matrix_of(node), matrix_of(patient[0]))
    whole = slicer_app.util.arrayFromVolume(node)[4]
    assert min(np.abs(seen - whole).max(), np.abs(seen - whole[::-1, ::-1]).max()) < 0.5 and whole.std() > 10
    assert node.GetName() == "p1_T1 T2w (synthetic)"
    assert node.GetAttribute("SurgicalStyleTransfer.SyntheticFrom") == "T1w + FLAIR"
    assert "made from p1_T1 + p1_FLAIR (T1w + FLAIR)" in node.GetDescription()
    # The strength changes it without the network, as that of one input.
    parameters.strength = 0.5
    until(lambda: opened.logic.engine.results[node.GetID()].strength == 0.5, "the blending")
    blended = slicer_app.util.arrayFromVolume(node)
    assert not np.array_equal(blended, expected.translation.volume.array[0])
    # What does not lie over the first input is refused with the command's sentence, and nothing is written.
    scene.RemoveNode(moved)
    shift(patient[1], 500.0)
    before = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    apply(opened)
    assert "p1_FLAIR" in ui.statusLabel.text and scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == before
    ui.routeRemoveButton.click()
    assert parameters.direction == "T1w>T2w" and ui.applyButton.enabled and not ui.routeRemoveButton.enabled


def test_what_an_input_is_can_be_said_and_is_kept_with_the_scene(scene, opened, patient, until):
    ui, parameters = opened.ui, opened._parameterNode
    parameters.inputVolume = patient[2]
    until(lambda: "Say in the list of inputs what p1_x is: T1w, T2w, FLAIR" in ui.reasonLabel.text, "the question")
    assert inputs(opened) == [("p1_x", "not known")]
    say(opened, 0, "FLAIR")
    assert ui.applyButton.enabled and targets(opened) == ["T1w", "T2w"]
    assert parameters.direction == "FLAIR>T2w", "what is made stays"
    add(opened, patient[1])
    until(lambda: "p1_x and p1_FLAIR are both FLAIR" in ui.reasonLabel.text, "the recognition")
    say(opened, 1, "T2w")
    assert parameters.direction == "FLAIR+T2w>T1w"
    assert opened.panel.context.other_inputs() == (patient[1].GetID(),)
    # For a pair style nothing is changed.
    parameters.model = "pair"
    assert ui.routeFrame.isHidden() and ui.directionLabel.text == "Direction:" and ui.applyButton.enabled
    assert targets(opened) == ["T1w to T2w", "T2w to T1w"] and opened.panel.context.other_inputs() == ()
    parameters.model = "tiny-many"
    assert parameters.direction == "FLAIR+T2w>T1w"

    scene.SetSaveToXMLString(1)
    scene.Commit()
    text = scene.GetSceneXMLString()
    scene.SetSaveToXMLString(0)
    scene.Clear(0)
    scene.SetLoadFromXMLString(1)
    scene.SetSceneXMLString(text)
    scene.Import()
    scene.SetLoadFromXMLString(0)
    parameters = opened._parameterNode
    assert inputs(opened) == [("p1_x", "FLAIR"), ("p1_FLAIR", "T2w")]
    assert parameters.direction == "FLAIR+T2w>T1w"
    # Another input volume is not what was said of that one; a deleted one takes with it what it was.
    parameters.inputVolume = scene.GetFirstNodeByName("p1_T1")
    assert inputs(opened) == [("p1_T1", "not known"), ("p1_FLAIR", "T2w")], "without voxels"
    scene.RemoveNode(scene.GetFirstNodeByName("p1_FLAIR"))
    assert len(inputs(opened)) == 1


def test_only_what_a_style_makes_is_offered(slicer_app, scene, open_panel, tmp_path, patient, until):
    make_tiny_mixture(tmp_path / "mine")  # T1w and T2w, of four contrasts
    widget = open_panel(folder=tmp_path / "mine")
    parameters, ui = widget._parameterNode, widget.ui
    parameters.inputVolume, parameters.model = patient[0], "tiny-mixture"
    until(lambda: ui.applyButton.enabled, "the recognition")
    assert targets(widget) == ["T2w"] and parameters.direction == "T1w>T2w"
    ui.adaptCollapsibleButton.collapsed = False
    assert "for many contrasts cannot be adapted" in ui.adaptReasonLabel.text
    add(widget, patient[2])
    say(widget, 1, "PD")
    assert targets(widget) == ["T2w"] and ui.applyButton.enabled and parameters.direction == "T1w+PD>T2w"
    say(widget, 1, "T2w")
    assert ui.reasonLabel.text == "This style makes none of the other contrasts of T1w + T2w."
    assert not ui.applyButton.enabled
