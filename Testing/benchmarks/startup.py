"""What a user waits for: start-up, the first sign of life after Apply, and a slice of the preview; JSON.

    python Testing/benchmarks/startup.py [RESULT.json]

The panel runs on real MRML with PySide6 for its widgets (Testing/slicer), the worker as in Slicer. Needs the packages
of the tests. Volume: 256 x 256 x 48, int16; model: the shipped one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "SurgicalStyleTransfer/Resources/Models/brain-mr-t1w-t2w"
REPEATS = 5
PREVIEWS = 20
PATIENCE = 300


def main(result: Path) -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    figures = {"help": command_line()}
    testing = ROOT / "Testing" / "slicer"
    sys.path[:] = [entry for entry in sys.path if entry not in ("", str(testing))]
    import slicer

    sys.path[:0] = [str(testing), str(ROOT / "SurgicalStyleTransfer")]
    from slicer_stand_in import install

    with tempfile.TemporaryDirectory() as temporary:
        install(Path(temporary))
        begun = time.perf_counter()
        import SurgicalStyleTransfer as module

        figures["import of the module's file"] = time.perf_counter() - begun
        assert "torch" not in sys.modules
        work = Path(temporary) / "models"
        shutil.copytree(MODEL, work / MODEL.name)
        figures |= panel(slicer, module, work)
    from training_cli.benchmark.measure import machine

    figures = {name: round(seconds, 3) for name, seconds in figures.items()}
    for name, seconds in figures.items():
        print(f"{name:52} {seconds:8.3f} s")
    result.write_text(json.dumps({"machine": machine(), "seconds": figures}, indent=2) + "\n", encoding="utf-8")


def command_line() -> float:
    """Median seconds of ``sst --help`` as a process of its own."""
    found = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "training_cli.main", "--help"], check=True, capture_output=True, cwd=ROOT)
        found.append(time.perf_counter() - begun)
    return statistics.median(found)


def panel(slicer: object, module: object, models: Path) -> dict[str, float]:
    import qt
    import vtk

    from SurgicalStyleTransferLib.setup import model_cards
    from SurgicalStyleTransferLib.setup.models import FOLDER_SETTING
    from training_cli.benchmark.measure import head_phantom

    def until(condition: object) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise SystemExit("What was waited for did not happen.")
            slicer.app.processEvents()
            time.sleep(0.001)  # a loop that never rests would take a core from the worker

    qt.QSettings().setValue(FOLDER_SETTING, str(models))
    model_cards.shipped_folder = lambda: models
    parent = slicer.qSlicerScriptedLoadableModuleWidget()
    qt.QVBoxLayout(parent)
    parent.setMRMLScene(slicer.mrmlScene)
    begun = time.perf_counter()
    widget = module.SurgicalStyleTransferWidget(parent)
    widget.setup()
    found = {"opening the panel": time.perf_counter() - begun}
    import SimpleITK as sitk

    image = head_phantom(256, 48)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "made")
    slicer.util.updateVolumeFromArray(node, sitk.GetArrayFromImage(image))
    node.SetSpacing(*image.GetSpacing())
    node.CreateDefaultDisplayNodes()
    widget._parameterNode.inputVolume, widget._parameterNode.model = node, MODEL.name
    widget._parameterNode.figures = "off"
    until(lambda: not widget.logic.engine.client.busy)
    widget.logic.engine.client.stop()

    def apply(name: str) -> None:
        seen = []
        client = widget.logic.engine.client
        original = client._on_message

        def noted(message: dict) -> None:
            original(message)
            if message.get("event") == "progress":
                seen.append((message["stage"], message["done"], time.perf_counter()))

        client._on_message = noted
        begun = time.perf_counter()
        widget.ui.applyButton.click()
        until(lambda: widget.logic.engine.style_job is None)
        ended = time.perf_counter()
        client._on_message = original
        slices = [moment for stage, done, moment in seen if stage == "translate" and done]
        found[f"{name} Apply: first progress"] = seen[0][2] - begun
        found[f"{name} Apply: first slice done"] = slices[0] - begun
        found[f"{name} Apply: result in the scene"] = ended - begun

    apply("first")
    apply("second")
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.app.layoutManager().mrmlSliceLogics()
    red = slicer.app.layoutManager().sliceWidget("Red")
    composite, view = red.mrmlSliceCompositeNode(), red.mrmlSliceNode()
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)

    def shown() -> tuple:
        name = composite.GetForegroundVolumeID()
        preview = slicer.mrmlScene.GetNodeByID(name) if name else None
        return () if preview is None else (preview.GetOrigin(), preview.GetImageData().GetMTime())

    view.SetOrientation("Axial")
    view.JumpSlice(*matrix.MultiplyPoint((128, 128, 10, 1))[:3])
    composite.SetForegroundVolumeID(None)
    before = shown()
    begun = time.perf_counter()
    widget.ui.previewCheckBox.checked = True
    until(lambda: shown() != before)
    found["preview: first slice of a volume"] = time.perf_counter() - begun
    seconds = []
    for index in range(11, 11 + PREVIEWS):
        until(lambda: not widget.logic.engine.client.busy)
        before = shown()
        begun = time.perf_counter()
        view.JumpSlice(*matrix.MultiplyPoint((128, 128, index, 1))[:3])
        until(lambda before=before: shown() != before)
        seconds.append(time.perf_counter() - begun)
    found["preview: the next slices, median"] = statistics.median(seconds)
    found["preview: the next slices, slowest"] = max(seconds)
    with contextlib.suppress(Exception):
        widget.cleanup()
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "Testing/benchmarks/results/startup.json")
