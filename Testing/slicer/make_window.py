"""The panel in a window like Slicer's: ``python Testing/slicer/make_window.py MODEL_FOLDER [OUTPUT_FOLDER]``.

MODEL_FOLDER is a model for T1w, such as SurgicalStyleTransfer/Resources/Models/brain-mr-t1w-t2w. Written are
window-before.png, window-after.png and window.gif. The volume is the ICBM152 T1 template of nilearn's package at 1 mm;
the slice views are drawn by MRML's slice logics from the scene. make_screenshots.py writes them, too.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
OFFSETS = range(-24, 57, 8)  # mm of the axial slices of the animation
VIEWS = (640, 400)  # pixels of the animation


def main(model: Path, output: Path) -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.path[:] = [entry for entry in sys.path if entry != str(HERE)]
    import slicer

    sys.path[:0] = [str(HERE), str(HERE.parents[1] / "SurgicalStyleTransfer")]
    from slicer_stand_in import install

    with tempfile.TemporaryDirectory() as temporary:
        install(Path(temporary))
        output.mkdir(parents=True, exist_ok=True)
        take(slicer, model, output)


def take(slicer: object, model: Path, output: Path) -> None:
    """Open the panel, apply the style and take the pictures; what the panel looks like is its own affair."""
    import qt
    from pictures import window
    from PySide6 import QtWidgets

    import SurgicalStyleTransfer as module
    from SurgicalStyleTransferLib.setup import model_cards

    QtWidgets.QApplication.instance().setStyle("Fusion")
    model_cards.shipped_folder = lambda: model.resolve().parent
    holder = slicer.qSlicerScriptedLoadableModuleWidget()
    qt.QVBoxLayout(holder)
    holder.setMRMLScene(slicer.mrmlScene)
    node = template(slicer)
    window.four_up(node)
    widget = module.SurgicalStyleTransferWidget(holder)
    widget.setup()
    holder.show()
    widget._parameterNode.inputVolume, widget._parameterNode.model = node, model.name
    panel = holder._target
    seen = {name: getattr(getattr(widget.ui, name, None), "_target", None) for name in ("applyButton", "statusLabel")}

    def wait(condition=lambda: False, seconds: float = 1.0) -> None:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            slicer.app.processEvents()
            time.sleep(0.01)

    try:
        wait(seconds=3)
        window.window(panel, shown=seen["applyButton"]).save(str(output / "window-before.png"))
        widget.ui.applyButton.click()
        wait(lambda: widget.logic.engine.style_job is None, 1200)
        result = widget._parameterNode.resultVolume
        if result is None:
            sys.exit("the style made no volume: " + str(getattr(widget.ui.statusLabel, "text", "")))
        wait(lambda: not widget.logic.engine.client.busy, 600)
        wait()
        window.side_by_side(node, result)
        window.window(panel, offset=8.0, shown=seen["statusLabel"]).save(str(output / "window-after.png"))
        there = [window.views(*VIEWS, offset=float(offset)) for offset in OFFSETS]
        window.save_animation(there + there[-2:0:-1], output / "window.gif", 120)
    finally:
        widget.cleanup()


def template(slicer: object, resolution: int = 1) -> object:
    """The ICBM152 T1 template at 1 or 2 mm as a volume node."""
    import nilearn.datasets
    import numpy as np

    image = nilearn.datasets.load_mni152_template(resolution=resolution)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "ICBM152 T1")
    array = np.ascontiguousarray((image.get_fdata() * 1000).astype(np.float32).transpose(2, 1, 0))
    slicer.util.updateVolumeFromArray(node, array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(image.affine))
    node.CreateDefaultDisplayNodes()
    return node


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else HERE.parents[1] / "Resources" / "Screenshots")
