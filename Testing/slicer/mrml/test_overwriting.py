"""What is overwritten: never without a question, and never under the name, file or patient of what it was."""

import numpy as np
import pytest
from scene_helpers import volume_names


@pytest.fixture
def hierarchy(slicer_app, scene):
    return slicer_app.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


@pytest.fixture
def answers(module, monkeypatch):
    """What will be answered, and what was asked."""
    from SurgicalStyleTransferLib.panel.apply import ApplySection

    given, asked = [], []

    def ask(section, output, source):
        asked.append((output, source))
        return given.pop(0)

    monkeypatch.setattr(ApplySection, "ask_overwriting", ask)
    return given, asked


def test_an_acquired_volume_is_kept_unless_the_user_says_otherwise(slicer_app, scene, ready, apply, volume, answers):
    given, asked = answers
    flair = volume("FLAIR", seed=9)
    before = slicer_app.util.arrayFromVolume(flair).copy()
    widget = ready(outputVolume=flair)
    given += ["", "new", "replaced"]
    assert apply(widget) is None and asked == [("FLAIR", "Head")] and volume_names(scene) == ["FLAIR", "Head"]
    result = apply(widget)
    assert result is not flair and widget._parameterNode.outputVolume is None
    assert flair.GetName() == "FLAIR"
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(flair), before)
    widget._parameterNode.outputVolume = flair
    assert apply(widget) is flair and len(asked) == 3
    assert flair.GetName().startswith("Head T2w (synthetic)"), "an acquired volume's name on a synthetic image"
    assert not np.allclose(slicer_app.util.arrayFromVolume(flair), before)


def test_a_result_of_the_same_input_is_made_anew_without_a_question(scene, ready, apply, answers):
    widget = ready()
    result = apply(widget)
    result.SetName("My favourite")
    widget._parameterNode.outputVolume = result
    assert apply(widget) is result and result.GetName() == "My favourite" and not answers[1]
    widget._parameterNode.direction = "backward"
    assert apply(widget) is result and result.GetName() == "Head T1w (synthetic)" and not answers[1]


def test_a_result_of_another_patient_is_asked_for_and_takes_the_new_ones_place(
    slicer_app, scene, ready, apply, volume, answers, hierarchy
):
    widget = ready()
    folders = {name: hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), name) for name in ("A", "B")}
    first = widget._parameterNode.inputVolume
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(first), folders["A"])
    result = apply(widget)
    other = volume("Other", seed=4)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(other), folders["B"])
    widget._parameterNode.inputVolume, widget._parameterNode.outputVolume = other, result
    answers[0].append("replaced")
    assert apply(widget) is result
    assert answers[1] == [("Head T2w (synthetic)", "Other")] and result.GetName() == "Other T2w (synthetic)"
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(result)) == folders["B"]
    assert "made from Other" in result.GetDescription()


def test_neither_file_nor_dicom_identity_of_an_acquired_volume_stays_on_it(
    slicer_app, scene, ready, apply, volume, answers, hierarchy, tmp_path
):
    """Else saving the scene would write the synthetic image over the acquired one's file."""
    flair = volume("FLAIR", seed=9)
    flair.AddDefaultStorageNode(str(tmp_path / "FLAIR.nrrd"))
    storage = flair.GetStorageNode()
    assert storage.WriteData(flair) and (tmp_path / "FLAIR.nrrd").is_file()
    flair.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    item = hierarchy.GetItemByDataNode(flair)
    hierarchy.SetItemUID(item, "DICOM", "1.2.3")
    hierarchy.SetItemAttribute(item, "DICOM.SeriesNumber", "7")
    answers[0].append("replaced")
    assert apply(ready(outputVolume=flair)) is flair
    assert flair.GetAttribute("DICOM.instanceUIDs") is None
    assert hierarchy.GetItemUID(item, "DICOM") == "" and not hierarchy.HasItemAttribute(item, "DICOM.SeriesNumber")
    now = flair.GetStorageNode()
    assert now is None or not now.GetFileName()


def test_the_question(open_panel, monkeypatch):
    """The proposed answer makes a new volume."""
    import qt

    seen = []

    def exec_(box):
        seen.append((box.text, box.defaultButton().text.replace("&", "")))
        box.defaultButton().click()
        return 0

    monkeypatch.setattr(qt.QMessageBox, "exec_", exec_, raising=False)
    assert open_panel().panel.apply.ask_overwriting("FLAIR", "Head") == "new"
    assert seen == [("FLAIR was not made from Head by this module. Replace it?", "Make a new volume")]


def test_notes_of_an_earlier_image_go(slicer_app, module, volume):
    from SurgicalStyleTransferLib.mrml import outputs

    node = volume()
    outputs.set_notes(node, {"Synthetic": "yes", "FusionInputs": "A, B"})
    outputs.set_notes(node, {"Synthetic": "yes", "StyleModel": "tiny"})
    assert node.GetAttribute("SurgicalStyleTransfer.FusionInputs") is None
    assert node.GetAttribute("SurgicalStyleTransfer.StyleModel") == "tiny"
