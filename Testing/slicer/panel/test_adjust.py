"""The section Adjust and the strength, through a real worker process."""

from pathlib import Path

import numpy as np
import pytest
from scene_helpers import engines_volume
from tiny_models import head

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


@pytest.fixture
def applied(slicer_app, apply):
    """Press Apply, wait, and give a copy of the result's voxels."""

    def press(widget):
        result = apply(widget)
        assert result is not None, widget.ui.statusLabel.text
        return slicer_app.util.arrayFromVolume(result).copy()

    return press


@pytest.fixture
def settled(slicer_app, until):
    """Wait until the result is adjusted as the panel says, and give a copy of its voxels."""

    def wait(widget):
        result = widget._parameterNode.resultVolume
        kept = widget.logic.engine.results[result.GetID()]
        until(lambda: not widget.panel.adjust.differs(kept), "the adjusting")
        return slicer_app.util.arrayFromVolume(result).copy()

    return wait


def expected(slicer_app, tiny_folder, widget, **adjustments):
    """What the engine makes of the panel's input with some adjustments."""
    from surgical_style_engine.adjust.options import Adjustments
    from surgical_style_engine.inference.translate import translate_volume
    from surgical_style_engine.models.folder import load_model

    planes, strength = adjustments.pop("planes", None), adjustments.pop("strength", 1.0)
    made = translate_volume(
        engines_volume(widget._parameterNode.inputVolume),
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
    from SurgicalStyleTransferLib.jobs.adjustments import of_parameters

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
    wanted = of_parameters(widget._parameterNode)
    assert (wanted.structure_guard_mm, wanted.match_by, wanted.least_consistency) == (3.5, "moments", 0.8)
    assert wanted.flatten_bias and wanted.ensemble and ui.matchByComboBox.currentData == "moments"
    assert scene.GetNodeByID(wanted.match_id).GetName() == "Reference"
    assert ui.guardSpinBox.value == 3.5 and ui.consistencySpinBox.value == 0.8 and not ui.strengthSlider.enabled


def test_every_apply_takes_them_along(slicer_app, ready, applied, tiny_folder, volume):
    reference = volume("Reference", array=np.sqrt(head(4)) * 20)
    widget = ready(structureGuard=6.0, matchVolume=reference, flattenBias=True)
    made = applied(widget)
    wanted = expected(
        slicer_app,
        tiny_folder,
        widget,
        structure_guard_mm=6.0,
        match=engines_volume(reference),
        flatten_bias=True,
    )
    close(made, wanted)
    assert np.abs(made - expected(slicer_app, tiny_folder, widget)).mean() > 5, "they change something"
    said = widget._parameterNode.resultVolume.GetAttribute("SurgicalStyleTransfer.SyntheticAdjustments")
    assert "structure guard 6 mm" in said and "histogram" in said and "N4" in said


def test_an_ensemble_averages_over_the_planes_too(slicer_app, ready, applied, tiny_folder):
    widget = ready(ensemble=True)
    made = applied(widget)
    planes = ["axial", "coronal", "sagittal"]
    close(made, expected(slicer_app, tiny_folder, widget, ensemble=True, planes=planes))
    widget._parameterNode.plane = "axial"
    close(applied(widget), expected(slicer_app, tiny_folder, widget, ensemble=True, planes=["axial"]))


def test_after_a_run_the_network_does_not_run_again(slicer_app, ready, applied, settled, tiny_folder, volume):
    widget = ready()
    ui, result = widget.ui, None
    plain = applied(widget)
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

    reference = volume("Reference", array=np.sqrt(head(4)) * 20)
    ui.matchSelector.setCurrentNode(reference)
    ui.matchByComboBox.currentIndex = ui.matchByComboBox.findData("moments")
    target = engines_volume(reference)
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


def test_the_automatic_strength(slicer_app, ready, applied, settled):
    widget = ready(automaticStrength=True, leastConsistency=0.0)
    ui = widget.ui
    whole = applied(widget)
    assert not ui.adjustNoteLabel.isHidden() and "Strength 1.00 was chosen" in ui.adjustNoteLabel.text
    ui.consistencySpinBox.value = 0.97
    less = settled(widget)
    kept = widget.logic.engine.results[widget._parameterNode.resultVolume.GetID()]
    assert 0 <= kept.used_strength < 1 and kept.consistency >= 0.97 and not np.allclose(less, whole)
    assert f"Strength {kept.used_strength:.2f} was chosen" in ui.adjustNoteLabel.text
    # The slider would show the strength of last time.
    assert ui.strengthSlider.isHidden() and not ui.strengthNoteLabel.isHidden()
    assert ui.strengthNoteLabel.text == f"{kept.used_strength:.2f}, chosen automatically (see Adjust)"
    source = slicer_app.util.arrayFromVolume(widget._parameterNode.inputVolume)
    assert np.abs(less - source).mean() < np.abs(whole - source).mean()
    ui.automaticCheckBox.checked = False
    np.testing.assert_allclose(settled(widget), whole, atol=1e-3)
    assert ui.adjustNoteLabel.isHidden() and ui.strengthSlider.enabled
    assert not ui.strengthSlider.isHidden() and ui.strengthNoteLabel.isHidden()


def test_what_cannot_be_done_is_said_once(slicer_app, scene, ready, applied, until, volume):
    widget = ready()
    before = applied(widget)
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


def test_strength_without_running_the_network_again(slicer_app, ready, apply, until, volume):
    node = volume()
    widget = ready(node=node)
    result = apply(widget)
    whole = slicer_app.util.arrayFromVolume(result).copy()
    requests = widget.logic.engine.client._count
    widget.ui.strengthSlider.value = 0.0
    engine = widget.logic.engine
    until(lambda: engine.results[result.GetID()].strength == 0.0, "the blend")
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(result), slicer_app.util.arrayFromVolume(node))
    assert result.GetAttribute("SurgicalStyleTransfer.SyntheticStrength") == "0"
    for value in (0.2, 0.4, 0.6, 0.8, 1.0):
        widget.ui.strengthSlider.value = value
    until(lambda: engine.results[result.GetID()].strength == 1.0, "the blend")
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(result), whole)
    assert engine.client._count - requests <= 4, "the latest position wins"
    # With another volume selected, the slider is for the next run.
    widget._parameterNode.inputVolume = volume("Other", seed=4)
    widget.ui.strengthSlider.value = 0.3
    for _ in range(100):
        slicer_app.app.processEvents()
    until(lambda: not engine.client.busy, "quiet")
    assert engine.results[result.GetID()].strength == 1.0


def test_a_blend_that_comes_late_touches_no_volume_of_another_scene(slicer_app, scene, ready, apply, until, volume):
    from SurgicalStyleTransferLib.jobs.job import Listener

    widget = ready()
    result = apply(widget)
    number = result.GetID()
    answers = []
    engine = widget.logic.engine
    listener = Listener(lambda result: answers.append("done"), lambda code, message: answers.append((code, message)))
    engine.adjust(number, 0.0, listener)
    scene.Clear(0)
    others = [volume(f"Of another patient {index}", seed=index + 5) for index in range(3)]
    taken = next(node for node in others if node.GetID() == number)
    before = slicer_app.util.arrayFromVolume(taken).copy(), taken.GetDescription()
    until(lambda: answers, "the answer")
    assert answers == [("stopped", "")]
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(taken), before[0])
    assert taken.GetDescription() == before[1] and not taken.GetAttribute("SurgicalStyleTransfer.Synthetic")
    # And the slider works on.
    widget.enter()
    widget._parameterNode.inputVolume, widget._parameterNode.model = taken, "tiny"
    again = apply(widget)
    widget.ui.strengthSlider.value = 0.0
    until(lambda: engine.results[again.GetID()].strength == 0.0, "the blend")


def test_strength_after_the_worker_was_stopped_waits_for_the_next_run(slicer_app, ready, apply):
    widget = ready()
    result = apply(widget)
    widget.ui.stopWorkerButton.click()
    assert widget.logic.engine.results == {} and not widget.ui.computeButton.enabled
    before = slicer_app.util.arrayFromVolume(result).copy()
    widget.ui.strengthSlider.value = 0.5
    for _ in range(50):
        slicer_app.app.processEvents()
    np.testing.assert_array_equal(slicer_app.util.arrayFromVolume(result), before)
    again = apply(widget)
    assert again.GetAttribute("SurgicalStyleTransfer.SyntheticStrength") == "0.5"
