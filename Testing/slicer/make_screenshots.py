"""Pictures of the panel in its states: ``python Testing/slicer/make_screenshots.py MODEL_FOLDER [OUTPUT_FOLDER]``.

MODEL_FOLDER is the folder of a trained model, such as SurgicalStyleTransfer/Resources/Models/brain-mr-t1w-t2w; its
parent is the folder of models shown. The volume is the ICBM152 T1 template of nilearn's package.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WIDTH = 480
OTHER_WIDTHS = (350, 800)  # of the first screen: the narrowest and a wide one


def main(model: Path, output: Path) -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.path[:] = [entry for entry in sys.path if entry != str(HERE)]
    import slicer

    sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "SurgicalStyleTransfer")]
    import make_window
    from slicer_stand_in import install

    with tempfile.TemporaryDirectory() as temporary:
        install(Path(temporary))
        work = Path(temporary) / "models"
        work.mkdir()
        shutil.copytree(model, work / model.name)
        output.mkdir(parents=True, exist_ok=True)
        _take(slicer, work, model.name, output)
        slicer.mrmlScene.Clear(0)
        make_window.take(slicer, model, output)


def _take(slicer: object, models: Path, name: str, output: Path) -> None:
    import make_window
    import qt
    from PySide6 import QtWidgets

    import SurgicalStyleTransfer as module
    from SurgicalStyleTransferLib.setup import model_cards
    from SurgicalStyleTransferLib.setup.models import FOLDER_SETTING

    QtWidgets.QApplication.instance().setStyle("Fusion")
    qt.QSettings().setValue(FOLDER_SETTING, "/home/user/.surgical_style_transfer/models")
    model_cards.shipped_folder = lambda: models
    parent = slicer.qSlicerScriptedLoadableModuleWidget()
    qt.QVBoxLayout(parent)
    parent.setMRMLScene(slicer.mrmlScene)
    widget = module.SurgicalStyleTransferWidget(parent)
    widget.setup()
    parent.setFixedWidth(WIDTH)
    parent.show()

    def wait(condition=lambda: False, seconds: float = 0.3) -> None:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            slicer.app.processEvents()
            time.sleep(0.01)

    def shot(title: str, seconds: float = 0.3, width: int = WIDTH) -> None:
        parent.setFixedWidth(width)
        # adjustSize() would ask for the height at another width; Slicer's scroll area asks as this does.
        for _ in range(2):
            wait(seconds=seconds)
            parent.setFixedHeight(parent.layout().totalHeightForWidth(width))
        wait(seconds=seconds)
        parent.grab().save(str(output / f"{title}.png"))
        parent.setFixedWidth(WIDTH)

    shot("empty")
    node = make_window.template(slicer, resolution=2)
    _prepare(widget, node, name, wait, shot)
    _apply(widget, wait, shot)
    _fuse(widget, wait, shot)
    _adapt(widget, wait, shot)
    _route(widget, models, wait, shot)
    _look(slicer, widget, wait, shot)
    widget._parameterNode.model = name
    _warn(slicer, widget, wait, shot)
    widget._parameterNode.inputVolume = node
    _damage(widget, next((models / name).glob("weights*")), wait, shot)
    widget.cleanup()


def _prepare(widget: object, node: object, name: str, wait: object, shot: object) -> None:
    """A volume and a style, and the sections that are closed at first."""
    ui, parameters = widget.ui, widget._parameterNode
    parameters.inputVolume, parameters.model = node, name
    wait(seconds=3)
    shot("ready")
    for width in OTHER_WIDTHS:
        shot(f"ready-{width}", width=width)
    ui.advancedCollapsibleButton.collapsed = False
    wait(lambda: len(widget.panel.advanced.devices) > 0, 60)
    shot("advanced")
    ui.advancedCollapsibleButton.collapsed = True
    ui.adjustCollapsibleButton.collapsed = False
    parameters.structureGuard, parameters.automaticStrength = 3.0, True
    shot("adjust")
    parameters.structureGuard, parameters.automaticStrength = 0.0, False
    ui.adjustCollapsibleButton.collapsed = True


def _apply(widget: object, wait: object, shot: object) -> None:
    ui = widget.ui
    ui.applyButton.click()
    wait(lambda: "left" in ui.statusLabel.text, 300)
    shot("running", 0.05)
    wait(lambda: widget.logic.engine.style_job is None, 1200)
    wait(lambda: widget.panel.quality.verdict is not None, 1200)
    shot("done")
    ui.qualityCollapsibleButton.collapsed = False
    ui.computeButton.click()
    wait(lambda: widget.logic.engine.metrics_job is None, 1200)
    shot("figures")
    ui.qualityCollapsibleButton.collapsed = True


def _fuse(widget: object, wait: object, shot: object) -> None:
    """The T1 template and what the style made of it, fused."""
    ui = widget.ui
    ui.fusionCollapsibleButton.collapsed = False
    ui.fusionSelector.setCurrentNode(widget._parameterNode.resultVolume)
    ui.fusionAddButton.click()
    ui.fusionRegisterCheckBox.checked = False
    ui.fusionButton.click()
    wait(lambda: widget.logic.engine.fusion_job is None, 600)
    shot("fusion")
    ui.fusionCollapsibleButton.collapsed = True
    widget.panel.context.status.show("")


def _adapt(widget: object, wait: object, shot: object) -> None:
    """The section Adapt to my scanner with a pair chosen. The T2w is the style's, called otherwise for this picture."""
    from SurgicalStyleTransferLib.panel.adaptation import scans

    ui, result = widget.ui, widget._parameterNode.resultVolume
    name, is_synthetic = result.GetName(), scans.outputs.is_synthetic
    result.SetName("ICBM152 T2")
    scans.outputs.is_synthetic = lambda node: False
    ui.adaptCollapsibleButton.collapsed = False
    ui.adaptSourceSelector.setCurrentNode(widget._parameterNode.inputVolume)
    ui.adaptTargetSelector.setCurrentNode(result)
    ui.adaptAddButton.click()
    wait(seconds=1)
    shot("adapt")
    ui.adaptRemoveButton.click()
    scans.outputs.is_synthetic = is_synthetic
    result.SetName(name)
    ui.adaptCollapsibleButton.collapsed = True


def _route(widget: object, models: Path, wait: object, shot: object) -> None:
    """T1w and T2w as inputs for FLAIR. The T2w is as in ``_adapt``."""
    from SurgicalStyleTransferLib.mrml import outputs

    ui, parameters = widget.ui, widget._parameterNode
    result = parameters.resultVolume
    name, is_synthetic = result.GetName(), outputs.is_synthetic
    result.SetName("ICBM152 T2")
    outputs.is_synthetic = lambda node: False
    style = "brain-mr-any-contrast"
    shutil.copytree(Path(outputs.__file__).parents[2] / "Resources" / "Models" / style, models / style)
    widget.panel.refresh_styles()
    parameters.model = style
    ui.routeSelector.setCurrentNode(result)
    ui.routeAddButton.click()
    wait(lambda: ui.applyButton.enabled, 60)
    widget.panel.context.status.show("")
    shot("route")
    ui.routeRemoveButton.click()
    outputs.is_synthetic = is_synthetic
    result.SetName(name)


def _look(slicer: object, widget: object, wait: object, shot: object) -> None:
    """The template in the look of another scanner, which is the template with another contrast, in other units."""
    import numpy as np

    parameters, node = widget._parameterNode, widget._parameterNode.inputVolume
    array = slicer.util.arrayFromVolume(node)
    site = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Scanner B T1")
    slicer.util.updateVolumeFromArray(site, (400 * (array / array.max()) ** 1.3).astype(np.float32))
    site.CopyOrientation(node)
    site.CreateDefaultDisplayNodes()
    parameters.model, parameters.lookVolume = "look:", site
    wait(seconds=1)
    widget.ui.applyButton.click()
    wait(lambda: widget.logic.engine.style_job is None, 600)
    shot("look")


def _warn(slicer: object, widget: object, wait: object, shot: object) -> None:
    """A volume that looks like CT under a style for MR."""
    import numpy as np

    parameters = widget._parameterNode
    array = slicer.util.arrayFromVolume(parameters.inputVolume)
    ct = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CTBrain")
    slicer.util.updateVolumeFromArray(ct, np.where(array > 0, array / 10, -1000).astype(np.float32))
    ct.CreateDefaultDisplayNodes()
    parameters.inputVolume = ct
    wait(lambda: bool(widget.panel.inputs.warnings), 30)
    widget.panel.context.status.show("")
    shot("warning")


def _damage(widget: object, weights: Path, wait: object, shot: object) -> None:
    """A style whose weights are not those of its card."""
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    widget.panel.apply.on_apply()
    wait(lambda: widget.logic.engine.style_job is None and not widget.ui.progressBar.visible, 60)
    shot("error")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else HERE.parents[1] / "Resources" / "Screenshots")
