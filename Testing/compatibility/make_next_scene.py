"""Fills a scene through the panel and saves it as Slicer does: ``make_next.py`` calls it, in a process of its own.

The choices are those of the present parameter node that version 0.1.0 did not have, and some that it had; the volumes
carry the marks of the present. Needs slicer-core and PySide6.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OLD = HERE / "v0_1_0"
PARAMETERS = {
    "model": "tiny",
    "direction": "backward",
    "strength": 0.5,
    "frames": "current",
    "segment": "Segment_1",
    "preview": False,
    "previewView": "Green",
    "fade": 0.75,
    "figures": "verdict",
    "showErrorMap": False,
    "showErrorBound": True,
    "structureGuard": 2.0,
    "matchBy": "moments",
    "flattenBias": False,
    "automaticStrength": False,
    "leastConsistency": 0.4,
    "ensemble": True,
    "fusionWeights": "[1.0, 0.5]",
    "fusionMethod": "guided",
    "fusionRegister": False,
    "device": "cpu",
    "precision": "fp32",
    "plane": "sagittal",
    "batchSize": 2,
}


def main(folder: Path) -> None:
    """Make the scene in an empty folder."""
    # slicer-core takes every folder named "slicer" on the path for a part of itself.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE.parent]
    import slicer

    sys.path[:0] = [str(HERE.parent / "slicer"), str(ROOT / "SurgicalStyleTransfer")]
    from slicer_stand_in import install

    with tempfile.TemporaryDirectory() as temporary:
        install(Path(temporary))
        _fill(slicer, folder)
    os._exit(0)  # the worker and the views need no orderly end here


def _fill(slicer: object, folder: Path) -> None:
    import qt

    import SurgicalStyleTransfer as module
    from SurgicalStyleTransferLib.setup import model_cards
    from SurgicalStyleTransferLib.setup.models import FOLDER_SETTING

    scene = slicer.mrmlScene
    qt.QSettings().setValue(FOLDER_SETTING, str(OLD / "models"))
    model_cards.shipped_folder = lambda: Path("nowhere")
    parent = slicer.qMRMLWidget()
    qt.QVBoxLayout(parent)
    parent.setMRMLScene(scene)
    widget = module.SurgicalStyleTransferWidget(parent)
    widget.setup()
    head, other = _volume(slicer, "Head T1", "head_T1.nii.gz"), _volume(slicer, "Head T2", "head_T2.nii.gz")
    region = _volume(slicer, "Region", "mask.nii.gz", "vtkMRMLLabelMapVolumeNode")
    parameters = widget._parameterNode
    nodes = {"inputVolume": head, "region": region, "referenceVolume": other, "matchVolume": other}
    for name, value in {**nodes, **PARAMETERS, "fusionVolumes": [other]}.items():
        setattr(parameters, name, value)
    for button, job in ((widget.ui.applyButton, "style_job"), (widget.ui.fusionButton, "fusion_job")):
        button.click()
        end = time.monotonic() + 600
        while getattr(widget.logic.engine, job) is not None:
            assert time.monotonic() < end, widget.ui.statusLabel.text
            slicer.app.processEvents()
            time.sleep(0.01)
        assert parameters.resultVolume is not None, widget.ui.statusLabel.text
    for name, value in PARAMETERS.items():  # what a run sets
        setattr(parameters, name, value)
    # What is drawn anew is not saved.
    volumes = [node for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode") if node.GetSaveWithScene()]
    (folder / "expected.json").write_text(json.dumps(_expected(slicer, parameters, nodes, volumes), indent=1) + "\n")
    widget.cleanup()
    scene.SetURL(str(folder / "scene.mrml"))
    scene.SetRootDirectory(str(folder))
    for node in volumes:
        node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        storage.SetFileName(str(folder / f"{re.sub(r'[^A-Za-z0-9]+', '_', node.GetName()).strip('_')}.nrrd"))
        storage.SetUseCompression(True)
        assert storage.WriteData(node), node.GetName()
    assert scene.Commit(str(folder / "scene.mrml"))


def _volume(slicer: object, name: str, file: str, kind: str = "vtkMRMLScalarVolumeNode") -> object:
    import SimpleITK as sitk

    image = sitk.ReadImage(str(OLD / "data" / file))
    node = slicer.mrmlScene.AddNewNodeByClass(kind, name)
    slicer.util.updateVolumeFromArray(node, sitk.GetArrayFromImage(image))
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix))
    node.CreateDefaultDisplayNodes()
    return node


def _expected(slicer: object, parameters: object, nodes: dict, volumes: list) -> dict:
    """What has to be there when the scene is opened."""
    expected = {
        "parameters": {name: getattr(parameters, name) for name in PARAMETERS},
        "nodes": {name: getattr(parameters, name).GetName() for name in (*nodes, "resultVolume")},
        "lists": {"fusionVolumes": [node.GetName() for node in parameters.fusionVolumes]},
        "volumes": {
            node.GetName(): {
                "attributes": {name: node.GetAttribute(name) for name in node.GetAttributeNames()},
                "description": node.GetDescription() or "",
                "mean": float(slicer.util.arrayFromVolume(node).mean(dtype=np.float64)),
            }
            for node in volumes
        },
    }
    assert expected["parameters"] == PARAMETERS
    return expected


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
