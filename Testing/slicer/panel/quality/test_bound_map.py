"""The error bound of a finished run: a node, an overlay, and gone with its image."""

import shutil

import numpy as np
import pytest
from scene_helpers import composites
from tiny_calibrations import calibrate


@pytest.fixture
def tiny_folder(tiny_folder, tmp_path):
    """The tiny style of the other tests, calibrated."""
    folder = tmp_path / "calibrated"
    shutil.copytree(tiny_folder, folder)
    calibrate(folder / "tiny", bound=0.1)
    return folder


def test_a_run_brings_verdict_bound_and_overlay(slicer_app, scene, done, until):
    widget = done(figures="quick")
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
    ui, verdict = widget.ui, widget.panel.quality.verdict
    assert ui.verdictLabel.text and not ui.verdictLabel.isHidden()
    result = widget._parameterNode.resultVolume
    node = scene.GetFirstNodeByName(f"{result.GetName()} error bound")
    array = slicer_app.util.arrayFromVolume(node)
    np.testing.assert_allclose(array[array > 0], verdict.metrics["verdict"]["bound"]["mean"], rtol=1e-3)
    assert float(node.GetAttribute("SurgicalStyleTransfer.ErrorBoundLimit")) > 0
    ui.boundCheckBox.checked = True
    assert all(entry.GetForegroundVolumeID() == node.GetID() for entry in composites().values())
    ui.mapCheckBox.checked = True
    assert all(entry.GetForegroundVolumeID() == node.GetID() for entry in composites().values()), "of both, the bound"
    ui.boundCheckBox.checked = False
    assert all(entry.GetForegroundVolumeID() != node.GetID() for entry in composites().values())
    scene.RemoveNode(result)
    assert scene.GetFirstNodeByName(f"{result.GetName()} error bound") is None and not ui.boundCheckBox.enabled
