"""Scenes that the panel of version 0.1.0, and that of the version to come, filled and saved open in the present one."""

import json
from pathlib import Path

import pytest

KEPT = Path(__file__).resolve().parents[1] / "compatibility"  # made by make_fixtures.py and make_next.py


@pytest.fixture(params=["v0_1_0", "next"])
def opened(request, scene, open_panel):
    """The panel after the scene was loaded, and what has to be in it."""
    folder = KEPT / request.param / "scene"
    widget = open_panel(folder=KEPT / "v0_1_0" / "models")
    scene.Clear(0)
    scene.SetURL(str(folder / "scene.mrml"))
    scene.SetRootDirectory(str(folder))
    assert scene.Import()
    return widget, json.loads((folder / "expected.json").read_text(encoding="utf-8"))


def test_every_choice_is_as_it_was(opened):
    widget, expected = opened
    parameters = widget._parameterNode
    assert {name: getattr(parameters, name) for name in expected["parameters"]} == expected["parameters"]
    for name, node in expected["nodes"].items():
        assert getattr(parameters, name).GetName() == node, name
    for name, nodes in expected["lists"].items():
        assert [node.GetName() for node in getattr(parameters, name)] == nodes, name


def test_the_widgets_show_them(opened):
    widget, expected = opened
    ui, wanted = widget.ui, expected["parameters"]
    assert ui.styleComboBox.currentData == wanted["model"] and ui.strengthSlider.value == wanted["strength"]
    assert ui.fusionMethodComboBox.currentData == wanted["fusionMethod"]
    assert ui.inputSelector.currentNode().GetName() == expected["nodes"]["inputVolume"]
    assert ui.applyButton.enabled, ui.applyButton.toolTip


def test_the_volumes_are_there_and_marked(opened, scene, slicer_app):
    from SurgicalStyleTransferLib.mrml import outputs

    _, expected = opened
    for name, wanted in expected["volumes"].items():
        node = scene.GetFirstNodeByName(name)
        assert node is not None, name
        assert {key: node.GetAttribute(key) for key in node.GetAttributeNames()} == wanted["attributes"], name
        assert (node.GetDescription() or "") == wanted["description"], name
        mean = float(slicer_app.util.arrayFromVolume(node).mean(dtype=float))
        assert mean == pytest.approx(wanted["mean"], rel=1e-6), name
        assert outputs.is_synthetic(node) == ("Synthetic" in wanted["description"] or "(fused)" in name), name


def test_what_is_synthetic_names_the_volume_it_came_from(opened, scene):
    from SurgicalStyleTransferLib.mrml import outputs

    _, expected = opened
    made = [node for name in expected["volumes"] if outputs.is_synthetic(node := scene.GetFirstNodeByName(name))]
    assert len(made) == 2
    assert {node.GetNodeReference(outputs.INPUT_ROLE).GetName() for node in made} == {"Head T1"}


def test_a_run_replaces_the_result_of_then(opened, until, slicer_app):
    widget, expected = opened
    widget._parameterNode.ensemble = False
    before = widget._parameterNode.resultVolume
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.style_job is None, "the end of the run")
    after = widget._parameterNode.resultVolume
    assert after is not None and after is not before, widget.ui.statusLabel.text
    assert after.GetAttribute("SurgicalStyleTransfer.StyleModel") == "tiny"
