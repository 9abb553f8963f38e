"""The panel on real MRML: Slicer's stand-ins, a scene, small models, and the opened panel."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import warm_python

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
PATIENCE = 120  # seconds after which a wait is given up; no speed is asserted
MODULE_FOLDER = Path(__file__).resolve().parents[2] / "SurgicalStyleTransfer"


@pytest.fixture(scope="session")
def slicer_app(tmp_path_factory):
    """Slicer as far as it goes without its application; skips where there are no wheels for this platform."""
    # ImportError too: on a bare system Qt's own libraries (libEGL, libxkbcommon) may be missing.
    pytest.importorskip("PySide6.QtWidgets", reason="PySide6 cannot be loaded here", exc_type=ImportError)
    before = sys.path[:]
    # slicer-core takes every folder named "slicer" on the path for a part of itself; this one is none.
    sys.path[:] = [entry for entry in before if not (Path(entry) / "slicer" / "conftest.py").is_file()]
    try:
        reason = "slicer-core has no wheel for this platform or Python"
        pytest.importorskip("slicer", reason=reason, exc_type=ImportError)
    finally:
        sys.path[:] = before
    from slicer_stand_in import install

    return install(tmp_path_factory.mktemp("slicer"))


@pytest.fixture(autouse=True)
def warm_worker(request, monkeypatch):
    """The panel's workers start at once, by a PythonSlicer on the PATH; those of tests marked cold_worker do not."""
    if warm_python.command() != sys.executable and not request.node.get_closest_marker("cold_worker"):
        monkeypatch.setenv("PATH", str(Path(warm_python.command()).parent), prepend=os.pathsep)


@pytest.fixture(autouse=True)
def no_exception_in_a_slot(monkeypatch):
    """Qt and VTK only print what is raised in slots and observers; here it fails the test."""
    raised = []
    before = sys.excepthook
    monkeypatch.setattr(
        sys, "excepthook", lambda kind, value, trace: (raised.append(value), before(kind, value, trace))
    )
    yield
    assert not raised, raised


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A folder of models: grey both ways, grey one way, colour, and one with a damaged card."""
    from tiny_models import make_tiny_model

    folder = tmp_path_factory.mktemp("models")
    make_tiny_model(folder, "tiny")
    make_tiny_model(folder, "tiny-colour", title="Photograph to painting", channels=3, modality="")
    make_tiny_model(folder, "tiny-one-way", title="One way", directions=("forward",), seed=3)
    (folder / "tiny-torn").mkdir()
    (folder / "tiny-torn" / "model.json").write_text('{"schema_version": 1, "domains": ')
    return folder


@pytest.fixture
def scene(slicer_app):
    """An empty scene, before and after, with the slice views of the usual layout."""
    slicer_app.mrmlScene.Clear(0)
    from PySide6 import QtCore

    manager = slicer_app.app.layoutManager()
    manager.setLayout(slicer_app.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    manager.mrmlSliceLogics()
    yield slicer_app.mrmlScene
    # No event loop comes round here to delete what was closed; it would follow every change of the scenes to come.
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
    slicer_app.mrmlScene.Clear(0)


@pytest.fixture
def until(slicer_app):
    """Let events run until something is true."""

    def wait(condition, what="what the test waits for"):
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"{what} did not happen")
            slicer_app.app.processEvents()
            time.sleep(0.005)

    return wait


@pytest.fixture
def module(slicer_app):
    """The module's file, as Slicer imports it."""
    import SurgicalStyleTransfer

    return SurgicalStyleTransfer


@pytest.fixture
def open_panel(slicer_app, scene, module, tiny_folder, monkeypatch):
    """Open the panel (with another worker command, if given); all are closed at the end."""
    import qt

    opened = []

    def do(command=None, folder=tiny_folder):
        from SurgicalStyleTransferLib.setup import model_cards
        from SurgicalStyleTransferLib.setup.models import FOLDER_SETTING

        qt.QSettings().setValue(FOLDER_SETTING, str(folder))
        monkeypatch.setattr(model_cards, "shipped_folder", lambda: Path("/nonexistent"))
        parent = slicer_app.qSlicerScriptedLoadableModuleWidget()
        qt.QVBoxLayout(parent)
        parent.setMRMLScene(scene)
        widget = module.SurgicalStyleTransferWidget(parent)
        if command is not None:
            original = module.Engine
            monkeypatch.setattr(module, "Engine", lambda: original(command))
        widget.setup()
        widget._parameterNode.figures = "off"
        opened.append(widget)
        return widget

    yield do
    for widget in opened:
        widget.cleanup()
        widget.parent.deleteLater()
    slicer_app.app.processEvents()


@pytest.fixture
def volume(slicer_app, scene):
    """Make a volume node of a small head, oblique and anisotropic."""
    from tiny_models import head

    def make(name="Head", seed=1, array=None, class_name="vtkMRMLScalarVolumeNode"):
        import vtk

        node = scene.AddNewNodeByClass(class_name, name)
        slicer_app.util.updateVolumeFromArray(node, head(seed) if array is None else array)
        matrix = vtk.vtkMatrix4x4()
        angle = 0.2
        directions = np.array([[-np.cos(angle), np.sin(angle), 0], [-np.sin(angle), -np.cos(angle), 0], [0, 0, 1]]) * (
            2.0,
            2.0,
            4.0,
        )
        for row in range(3):
            for column in range(3):
                matrix.SetElement(row, column, directions[row, column])
            matrix.SetElement(row, 3, (30.0, 35.0, -20.0)[row])
        node.SetIJKToRASMatrix(matrix)
        node.CreateDefaultDisplayNodes()
        return node

    return make


@pytest.fixture
def ready(open_panel, volume):
    """Open a panel with a volume and the tiny style selected; changes are parameters."""

    def make(command=None, style="tiny", node=None, **changes):
        widget = open_panel(command)
        parameters = widget._parameterNode
        parameters.inputVolume = volume() if node is None else node
        parameters.model, parameters.device = style, "cpu"
        for name, value in changes.items():
            setattr(parameters, name, value)
        assert widget.ui.applyButton.enabled, widget.ui.applyButton.toolTip
        return widget

    return make


@pytest.fixture
def apply(until):
    """Press Apply and wait for the end of the run; gives the latest result."""

    def press(widget):
        widget.ui.applyButton.click()
        until(lambda: widget.logic.engine.style_job is None, "the end of the run")
        return widget._parameterNode.resultVolume

    return press


@pytest.fixture
def done(ready, apply):
    """Open a panel whose run is over."""

    def make(**changes):
        widget = ready(**changes)
        assert apply(widget) is not None, widget.ui.statusLabel.text
        return widget

    return make


@pytest.fixture
def sequence(slicer_app, scene, volume):
    """Three frames, played by a browser; gives the browser and the proxy."""
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Series")
    node.SetIndexName("time")
    node.SetIndexUnit("s")
    for number in range(3):
        frame = volume(f"Frame{number}", seed=number + 1)
        node.SetDataNodeAtValue(frame, str(number * 5))
        scene.RemoveNode(frame)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.AddSynchronizedSequenceNode(node)
    slicer_app.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser, browser.GetProxyNode(node)
