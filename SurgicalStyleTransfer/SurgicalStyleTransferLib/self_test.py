"""Tests that run inside Slicer: "Reload and Test", ctest. They need no network and no shipped style.

The engine's tests are elsewhere; these are about what only Slicer can show: nodes, processes, packages. Each takes the
unittest.TestCase that runs it.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import slicer
import vtk

from SurgicalStyleTransferLib.jobs.engine import Engine
from SurgicalStyleTransferLib.jobs.job import Listener
from SurgicalStyleTransferLib.jobs.style_job import Plan
from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.mrml.saved_files import SIDECAR, SavedFiles
from SurgicalStyleTransferLib.setup import dependencies, model_cards
from SurgicalStyleTransferLib.worker.exchange import Exchange

SHAPE = (6, 32, 28)
NOTES = {
    "Synthetic": "yes",
    "SyntheticFrom": "T1w",
    "SyntheticTo": "T2w",
    "SyntheticStrength": "1",
    "StyleModel": "brain",
    "StyleModelSHA256": "ab" * 32,
    "IntendedUse": "Research.",
}


def make_volume(name: str = "Head") -> object:
    """A small oblique volume node of a ball."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, count) for count in SHAPE), indexing="ij")
    radius = np.sqrt(x**2 + y**2 + z**2)
    array = np.where(radius < 0.9, 600 - 400 * radius + 50 * np.sin(9 * x), 0).astype(np.float32)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, array)
    angle = 0.3
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[-np.cos(angle), np.sin(angle), 0], [-np.sin(angle), -np.cos(angle), 0], [0, 0, 1]]) * (
        2.0,
        2.0,
        4.0,
    )
    matrix[:3, 3] = 20, 30, -10
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    return node


def make_card(folder: Path, **changes: object) -> model_cards.Card:
    """A card that nothing can be computed with: its weights are one byte."""
    side = {"name": "T1w", "modality": "MR", "units": "", "channels": 1}
    values = {
        "schema_version": 1,
        "title": "Brain",
        "domains": {"source": side, "target": side | {"name": "T2w"}},
        "directions": ["forward"],
        "weights": {"file": "weights.safetensors", "sha256": "0" * 64, "bytes": 1},
    }
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(values | changes), encoding="utf-8")
    (folder / "weights.safetensors").write_bytes(b"x")
    return model_cards.read(folder)


def a_volume_comes_back_from_the_exchange_as_it_went(case: object) -> None:
    """Voxels, geometry, and no folder left behind."""
    exchange, node = Exchange(), make_volume()
    try:
        described = exchange.upload(node)
        array = exchange.take(described["file"])
        np.testing.assert_array_equal(array, slicer.util.arrayFromVolume(node))
        other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Copy")
        slicer.util.updateVolumeFromArray(other, array)
        mrml_geometry.set_from_lps(other, described["spacing"], described["origin"], described["direction"])
        for first, second in zip(_corners(node), _corners(other), strict=True):
            case.assertLess(np.linalg.norm(np.subtract(first, second)), 1e-6)
    finally:
        exchange.close()
    case.assertFalse(exchange.folder.exists())


def _corners(node: object) -> list[np.ndarray]:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    corners = np.array([(0, 0, 0, 1), (SHAPE[2] - 1, 0, 0, 1), (0, SHAPE[1] - 1, SHAPE[0] - 1, 1)], float)
    return list((slicer.util.arrayFromVTKMatrix(matrix) @ corners.T).T)


def an_output_lies_on_its_inputs_grid_and_says_that_it_is_synthetic(case: object) -> None:
    """A result without a worker."""
    node = make_volume()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetAndObserveTransformNodeID(transform.GetID())
    with tempfile.TemporaryDirectory() as folder:
        card = make_card(Path(folder) / "brain")
        array = slicer.util.arrayFromVolume(node) * 0 + 5
        result = outputs.write_volume(node, array, card, "forward", {"notes": NOTES, "range": [0, 10]})
    case.assertEqual(result.GetName(), "Head T2w (synthetic)")
    case.assertEqual(result.GetImageData().GetDimensions(), node.GetImageData().GetDimensions())
    case.assertIs(result.GetParentTransformNode(), transform)
    case.assertTrue(outputs.is_synthetic(result))
    case.assertIn("Not acquired", result.GetDescription())
    for first, second in zip(_corners(node), _corners(result), strict=True):
        case.assertLess(np.linalg.norm(np.subtract(first, second)), 1e-6)


def a_saved_file_says_that_it_is_synthetic(case: object) -> None:
    """NIfTI by the scene's own storage node: MRML writes nothing of a node into it."""
    watcher = SavedFiles(slicer.mrmlScene)
    node = make_volume("Head T2w (synthetic)")
    outputs.mark(node, "Head", NOTES)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "made.nii.gz"
            node.AddDefaultStorageNode(str(path))
            case.assertTrue(node.GetStorageNode().WriteData(node))
            with gzip.open(path) as stream:
                case.assertTrue(stream.read(348)[148:228].startswith(b"SYNTHETIC T2w from T1w by brain"))
            case.assertTrue(path.with_name(path.name + SIDECAR).is_file())
    finally:
        watcher.close()


def cards_are_read_and_damaged_ones_named(case: object) -> None:
    """Good, newer and incomplete models, and the shipped ones."""
    with tempfile.TemporaryDirectory() as folder:
        card = make_card(Path(folder) / "good")
        case.assertEqual((card.problem, card.ends_in("forward").name), ("", "T2w"))
        newer = make_card(Path(folder) / "newer", schema_version=99)
        case.assertIn("99", newer.problem)
        (Path(folder) / "good" / "weights.safetensors").unlink()
        case.assertIn("weights", model_cards.read(Path(folder) / "good").problem)
    for shipped in model_cards.list_cards(Path("/nonexistent")):
        case.assertEqual(shipped.problem, "", shipped.name)


def the_worker_refuses_a_damaged_style_and_the_scene_stays(case: object) -> None:
    """A real worker process; where the engine's packages are missing, that is what it must say."""
    node = make_volume()
    before = slicer.mrmlScene.GetNumberOfNodes()
    engine = Engine()
    try:
        with tempfile.TemporaryDirectory() as folder:
            card = make_card(Path(folder) / "brain")
            if dependencies.missing(openvino=True):
                _expect_error(case, engine, Plan(node.GetID(), card), "package")
            else:
                _expect_error(case, engine, Plan(node.GetID(), card), "brain")
        case.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)
    finally:
        engine.close()
    case.assertFalse(engine.client.running)
    case.assertFalse(engine.exchange.folder.exists())


def _expect_error(case: object, engine: Engine, plan: Plan, part: str) -> None:
    said: list[str] = []
    engine.apply(plan, Listener(lambda result: said.append(""), lambda code, message: said.append(message)))
    for _attempt in range(6000):
        if said:
            break
        slicer.app.processEvents()
        time.sleep(0.02)
    case.assertEqual(len(said), 1)
    case.assertIn(part, said[0])


def a_shipped_style_translates(case: object) -> None:
    """The whole way, where a style is shipped and the packages are there."""
    cards = [card for card in model_cards.list_cards(Path("/nonexistent")) if not card.problem]
    cards.sort(key=lambda card: card.name != model_cards.FIRST)  # the one that the panel begins with
    if not cards or dependencies.missing(**dependencies.needs_of(cards[0])):
        return
    node = make_volume()
    engine = Engine()
    try:
        result = engine.process(Plan(node.GetID(), cards[0], cards[0].directions[0], device="cpu"))
        node = slicer.mrmlScene.GetNodeByID(result.output_id)
        case.assertTrue(outputs.is_synthetic(node))
        case.assertTrue(np.isfinite(slicer.util.arrayFromVolume(node)).all())
        case.assertGreater(result.slices, 0)
    finally:
        engine.close()
