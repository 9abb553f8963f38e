"""The look of a volume, of a folder or of a file in place of a style, through a real worker process."""

import json
from pathlib import Path

import numpy as np
import pytest
from scene_helpers import engines_volume, matrix_of, volume_names
from tissue_phantom import tissue_phantom

from surgical_style_engine.app.harmonise_case import harmonise_case, measure_look
from surgical_style_engine.imageio.write import write_volume

OTHER = {"CSF": 130.0, "grey": 250.0, "white": 330.0, "scalp": 400.0, "bone": 10.0}
LOOK = "look:"


@pytest.fixture
def scans(volume):
    """A scan, and one of another site, both T1w and on grids of their own."""
    import slicer

    nodes = (
        volume("Scan_T1w", array=tissue_phantom(seed=1).array[0]),
        volume("Site_T1w", array=tissue_phantom(OTHER).array[0]),
    )
    for node in nodes:
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.diag([-3.0, -3.0, 3.0, 1.0])))
    return nodes


@pytest.fixture
def opened(open_panel, tmp_path, scans):
    widget = open_panel(folder=tmp_path / "mine")
    parameters = widget._parameterNode
    parameters.inputVolume, parameters.figures = scans[0], "verdict"
    return widget


def titles(widget):
    combo = widget.ui.styleComboBox
    return [combo.itemText(index) for index in range(combo.count)]


def test_a_volume_takes_on_the_look_of_another(slicer_app, scene, opened, scans, apply, until, tmp_path, monkeypatch):
    ui, parameters, engine = opened.ui, opened._parameterNode, opened.logic.engine
    assert titles(opened) == ["No style yet", "Look of a volume or folder..."] and ui.lookFrame.isHidden()
    parameters.model = LOOK
    assert not ui.lookFrame.isHidden() and ui.directionComboBox.isHidden() and ui.strengthSlider.isHidden()
    assert ui.reasonLabel.text == "Select the volume whose look is to be taken on, or a folder of scans."
    ui.lookSelector.setCurrentNode(scans[0])
    assert "that of the input itself" in ui.reasonLabel.text
    ui.lookSelector.setCurrentNode(scans[1])
    assert parameters.lookVolume is scans[1] and titles(opened)[-1] == "Look of Site_T1w"
    assert ui.applyButton.enabled and "measured with the first Apply" in ui.cardLabel.text

    node = apply(opened)
    expected = [engines_volume(scan) for scan in scans]
    look = measure_look([expected[1]], "Site_T1w")
    case = harmonise_case(expected[0], look)
    assert node is not None, ui.statusLabel.text
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(node), case.harmonised.volume.array[0])
    np.testing.assert_array_equal(matrix_of(node), matrix_of(scans[0]))
    assert node.GetName() == "Scan_T1w T1w in the look of Site_T1w (synthetic)"
    prefix = "SurgicalStyleTransfer."
    noted = {name.removeprefix(prefix): node.GetAttribute(name) for name in node.GetAttributeNames() if prefix in name}
    assert noted == case.notes and "grey values by one increasing curve. Not acquired" in node.GetDescription()
    assert node.GetNodeReference("SurgicalStyleTransferInput") is scans[0]
    # What is known of it is said; nothing is judged that is not calibrated.
    assert "white matter" in ui.lookNoteLabel.text and f"{look.levels[0]:.4g}" in ui.cardLabel.text
    assert ui.verdictLabel.isHidden() and engine.metrics_job is None
    assert not ui.computeButton.enabled and "runs no network" in ui.computeButton.toolTip
    assert not ui.exportDicomButton.enabled and "save it as NRRD" in ui.exportDicomButton.toolTip
    parameters.strength = 0.5
    assert engine.adjust_job is None

    # Saved, it is selected, stays in the list, and gives the same.
    import qt

    saved = tmp_path / "mine" / "Site_T1w.look.json"
    asked = []
    monkeypatch.setattr(
        qt.QFileDialog,
        "getSaveFileName",
        lambda *arguments: asked.append(arguments) or str(tmp_path / "mine" / "Site_T1w"),
    )
    ui.lookSaveButton.click()
    until(lambda: engine.look_job is None, "the end of the saving")
    assert asked[0][2] == str(saved) and parameters.model == f"{LOOK}{saved}", ui.statusLabel.text
    look.save(tmp_path / "by_command.look.json")
    assert saved.read_bytes() == (tmp_path / "by_command.look.json").read_bytes()
    assert "Look of Site_T1w" in titles(opened) and ui.lookSelector.isHidden() and not ui.lookSaveButton.enabled
    again = apply(opened)
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(again), case.harmonised.volume.array[0])
    assert len(volume_names(scene)) == 4

    another_contrast_is_refused_before_anything_is_run(opened, until, tmp_path, monkeypatch)
    # A look goes from the list alone, a saved one from the disk after a question.
    monkeypatch.setattr(slicer_app.util, "confirmOkCancelDisplay", lambda text: True)
    ui.removeButton.click()
    assert (tmp_path / "f.look.json").exists() and parameters.model == LOOK and "Look of f" not in titles(opened)
    parameters.model = f"{LOOK}{saved}"
    ui.removeButton.click()
    assert not saved.exists() and parameters.model == LOOK


def another_contrast_is_refused_before_anything_is_run(opened, until, tmp_path, monkeypatch):
    import qt

    levels = {"CSF": 1.0, "white matter": 2.0, "grey matter": 3.0}
    flair = {"schema": 1, "kind": "FLAIR", "levels": levels, "volumes": 2, "name": "F"}
    (tmp_path / "f.look.json").write_text(json.dumps(flair))
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *arguments: str(tmp_path / "f.look.json"))
    opened.ui.lookFileButton.click()
    until(lambda: "is of FLAIR scans" in opened.ui.reasonLabel.text, "the refusal")
    assert not opened.ui.applyButton.enabled and "FLAIR of a head" in opened.ui.cardLabel.text


def test_a_folder_is_measured_with_apply_and_can_be_left(scene, opened, scans, until, tmp_path, monkeypatch):
    import qt

    ui, parameters, engine = opened.ui, opened._parameterNode, opened.logic.engine
    folder = tmp_path / "site3"
    folder.mkdir()
    for number in range(2):
        write_volume(tissue_phantom(OTHER, seed=number), folder / f"r{number}_T1w.nii.gz")
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *arguments: str(folder))
    ui.lookFolderButton.click()
    assert parameters.model == f"{LOOK}{folder}" and str(folder) in ui.lookNoteLabel.text and ui.applyButton.enabled
    ui.applyButton.click()
    until(lambda: "Measuring the look" in ui.statusLabel.text, "the beginning")
    ui.applyButton.click()
    until(lambda: engine.style_job is None, "the end")
    assert ui.statusLabel.text == "Cancelled. The scene is as it was." and parameters.resultVolume is None
    said = []
    opened.panel.context.status.on_shown = said.append
    ui.applyButton.click()
    until(lambda: engine.style_job is None, "the end of the run")
    node = parameters.resultVolume
    assert node is not None and node.GetName() == "Scan_T1w T1w in the look of site3 (synthetic)", ui.statusLabel.text
    assert "Measuring the look, 75 %..." in said and "Bringing the volume into the look..." in said
    assert "(median of 2 scans)" in ui.cardLabel.text

    # All volumes of the scene, one after the other; of none there is a verdict.
    ui.batchCollapsibleButton.collapsed = False
    assert ui.batchTable.rowCount == 2 and ui.batchButton.enabled, ui.batchButton.toolTip
    ui.batchButton.click()
    until(lambda: not opened.panel.batch.runner.is_running, "the end of both")
    states = [[ui.batchTable.item(row, column).text() for column in (1, 2)] for row in range(2)]
    assert states == [["done", ""], ["done", ""]] and engine.metrics_job is None
    named = [name for name in volume_names(scene) if "T1w in the look of site3 (synthetic)" in name]
    assert [name.split()[0] for name in named] == ["Scan_T1w", "Scan_T1w", "Site_T1w"], "the first of them by Apply"


def test_what_cannot_be_taken_on_is_said_at_once(opened, scans, volume, tmp_path):
    ui, parameters = opened.ui, opened._parameterNode
    parameters.model, parameters.lookVolume = LOOK, scans[1]
    parameters.region = volume("Region", array=np.ones((4, 4, 4), np.int16), class_name="vtkMRMLLabelMapVolumeNode")
    assert "choose no region" in ui.reasonLabel.text and not ui.applyButton.enabled
    parameters.region = None
    (tmp_path / "x.look.json").write_text("{}")
    for path, part in ((tmp_path / "gone", "is not on this computer"), (tmp_path / "x.look.json", "holds no look")):
        parameters.model = f"{LOOK}{path}"
        assert part in ui.reasonLabel.text and not ui.applyButton.enabled
        assert part in ui.cardLabel.text and not ui.lookSaveButton.enabled
    assert not Path(tmp_path / "gone").exists()
    parameters.model, parameters.preview = LOOK, True
    assert "A look has no preview" in ui.previewMessageLabel.text
