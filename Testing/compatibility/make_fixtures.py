"""Makes the fixtures of a version: ``python Testing/compatibility/make_fixtures.py FOLDER``.

``v0_1_0`` was made by it with the code of version 0.1.0, before that code was restructured, and is not made again: it
stands for what people have from that version. Of a later version another folder can be made beside it.

All volumes are made up here. The commands run inside the folder with relative paths, so that what they write names no
place of the machine that they ran on. Needs the packages of the test suite and onnx; the scene needs slicer-core and
PySide6. Contents of the folder:

    data/        heads, masks, training images, a DICOM series, a picture
    models/      tiny (both directions), tiny-colour, tiny-fusion, picture (a style image), reference, onnx (imported)
    runs/        run folders of `sst train` after 2 of 4 steps, without their cache; commands.json: how to go on
    reports/     JSON reports of sst translate, evaluate and fuse, the volumes they name, and how they were made
    scene/       a scene that the panel filled, its volumes, and expected.json: what has to be in it
    training.yaml, training.json    every setting of a training, none at its default; the same as they were understood
    training_defaults.json          the default of every setting
    options.json                    the options of every command
    golden.json                     see golden.py
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
os.environ |= {"SST_PROBE": "off", "OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen", "COLUMNS": "250"}
sys.modules.setdefault("openvino_telemetry", None)
sys.path[:0] = [str(HERE), str(HERE.parent)]
RUNS = {
    "cyclegan": {"stack": 3, "pairs": "data/pairs.csv"},
    "cut": {"nce_patches": 16, "nce_features": 16},
    "perceptual": {"target": "data/style", "target_modality": "ART", "features": "random"},
}
RUN_SETTINGS = {
    "source": "data/source",
    "target": "data/target",
    "max_steps": 4,
    "patch_size": 32,
    "ngf": 4,
    "n_blocks": 1,
    "ndf": 4,
    "n_layers": 2,
    "precision": "fp32",
    "device": "cpu",
    "sample_every": 2,
    "checkpoint_every": 2,
    "keep_checkpoints": 2,
    "trackers": "csv",
    "pool_size": 2,
    "threads": 1,
    "constant_fraction": 1.0,
}
# None of these is the default.
TRAINING = {
    "method": "cut",
    "source": "data/source",
    "target": "data/target",
    "output": "runs/all",
    "pairs": "data/pairs.csv",
    "extra_sources": "*_T2*",
    "extra_names": "T2",
    "init": "models/tiny",
    "register_pairs": True,
    "masks": True,
    "pattern_source": "*_T1*",
    "pattern_target": "*.nii.gz",
    "exclude": "bad,worse",
    "name": "all-settings",
    "title": "All settings",
    "source_name": "T1w",
    "target_name": "CT",
    "source_modality": "CR",
    "target_modality": "CT",
    "source_units": "counts",
    "target_units": "HU",
    "source_normalization": "zscore",
    "target_normalization": "hu_window",
    "hu_lower": -900.0,
    "hu_upper": 1500.0,
    "licence": "CC0-1.0",
    "citation": "Nobody, 2026",
    "data_description": "Made-up heads.",
    "notes": "A fixture.",
    "intended_use": "Tests only.",
    "spacing": 1.5,
    "plane": "coronal",
    "stack": 3,
    "stack_spacing": 2.0,
    "patch_size": 64,
    "picture_zoom": 2.0,
    "min_body_fraction": 0.05,
    "generator": "article",
    "ngf": 8,
    "n_blocks": 3,
    "discriminator": "article",
    "ndf": 16,
    "n_layers": 2,
    "spectral_norm": True,
    "adversarial": "bce",
    "cycle_norm": "l2",
    "lambda_adversarial": 2.0,
    "lambda_cycle": 7.0,
    "lambda_identity": 0.5,
    "identity_every": 2,
    "lambda_spatial": 0.25,
    "lambda_pairs": 20.0,
    "pairs_fraction": 0.5,
    "pairs_warmup": 0.1,
    "lambda_nce": 3.0,
    "nce_patches": 64,
    "nce_features": 32,
    "nce_temperature": 0.1,
    "conditional": False,
    "learning_rate": 1e-3,
    "beta1": 0.6,
    "beta2": 0.99,
    "constant_fraction": 0.25,
    "batch_size": 2,
    "pool_size": 10,
    "ema_decay": 0.9,
    "max_steps": 12,
    "max_minutes": 3.5,
    "seed": 5,
    "augment": False,
    "device": "cpu",
    "precision": "fp32",
    "workers": 1,
    "threads": 2,
    "sample_every": 7,
    "checkpoint_every": 9,
    "keep_checkpoints": 4,
    "trackers": ["csv"],
    "features": "random",
    "lambda_content": 2.0,
    "lambda_style": 10.0,
    "lambda_variation": 1.0,
    "brush": 0.5,
}
PARAMETERS = {
    "model": "tiny",
    "direction": "backward",
    "strength": 0.5,
    "frames": "all",
    "previewView": "Yellow",
    "fade": 0.25,
    "figures": "off",
    "structureGuard": 3.0,
    "matchBy": "moments",
    "flattenBias": True,
    "leastConsistency": 0.6,
    "ensemble": True,
    "fusionWeights": "[1.0, 0.5]",
    "fusionMethod": "detail",
    "fusionRegister": False,
    "device": "cpu",
    "precision": "fp32",
    "plane": "coronal",
    "batchSize": 3,
}


def main(folder: Path) -> None:
    """Make all of it in a folder that must not exist yet."""
    import entry_points as engine
    import golden

    folder.mkdir(parents=True)
    for name in ("data", "models", "runs", "reports", "scene"):
        (folder / name).mkdir()
    os.chdir(folder)
    make_data(engine)
    make_models(engine)
    make_runs(engine)
    make_reports(engine)
    make_settings(engine)
    (Path("options.json")).write_text(json.dumps(options(engine), indent=1) + "\n")
    subprocess.run([sys.executable, __file__, "--scene", "scene"], check=True)
    with tempfile.TemporaryDirectory() as scratch:
        golden.write(Path(), Path(scratch))
    size = sum(path.stat().st_size for path in Path().rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.2f} MB")


def sst(engine: object, *arguments: object) -> None:
    """Run a command, which must succeed."""
    code, out, err = engine.sst(*arguments)
    assert code == 0, (arguments, out, err)


def make_data(engine: object) -> None:
    """Heads of two contrasts (16-bit, oblique), a mask, a moved head, training images, a DICOM series, a picture."""
    import SimpleITK as sitk

    first = np.round(_head()).astype(np.int16)
    second = np.where(first > 0, 1000 - first, 0).astype(np.int16)
    angle = 0.2
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    geometry = (2.0, 1.9, 4.0), (-35.0, -38.0, 7.25), turn
    engine.write_volume(engine.volume(first[None], *geometry), Path("data/head_T1.nii.gz"))
    engine.write_volume(engine.volume(second[None], *geometry), Path("data/head_T2.nii.gz"))
    mask = np.zeros(first.shape, np.uint8)
    mask[3:10, 8:30, 9:28] = 1
    engine.write_volume(engine.volume(mask[None], *geometry), Path("data/mask.nii.gz"))
    motion = sitk.Euler3DTransform()
    motion.SetRotation(0.05, -0.04, 0.08)
    motion.SetTranslation((4.0, -3.0, 5.0))
    matrix = np.array(motion.GetMatrix()).reshape(3, 3)
    moved = engine.volume(second[None], geometry[0], motion.TransformPoint(geometry[1]), matrix @ turn)
    engine.write_volume(moved, Path("data/moved_T2.nii.gz"))
    for side, names in (("source", "ab"), ("target", "ab")):
        Path("data", side).mkdir()
        for seed, name in enumerate(names):
            disc = engine.volume(_disc(seed, side == "target"), (1.0, 1.0, 3.0))
            engine.write_volume(disc, Path("data", side, f"{name}.nii.gz"))
    Path("data/pairs.csv").write_text("source,target\nsource/a.nii.gz,target/a.nii.gz\n")
    y, x = np.mgrid[:48, :64].astype(np.float32)
    wave = np.sin(0.5 * x + 2 * np.sin(0.15 * y))
    colours = np.stack([0.5 + 0.3 * wave, 0.5 + 0.3 * np.sin(0.3 * y + 0.4 * x), 0.5 - 0.3 * wave])
    Path("data/style").mkdir()
    engine.write_volume(engine.volume(np.uint8(255 * colours)[:, None], is_2d=True), Path("data/style/waves.png"))
    _make_dicom(Path("data/dicom"), first[3:6])


def _head() -> np.ndarray:
    from tiny_models import head

    noise = np.random.default_rng(9).normal(0, 12, (12, 40, 36))
    array = head(2)
    return np.where(array > 0, array + noise, 0)


def _disc(seed: int, inverted: bool) -> np.ndarray:
    """(1, z, y, x) int16: a disc with another inside; the target domain swaps their values."""
    random = np.random.default_rng(seed)
    _, y, x = np.mgrid[:4, :40, :40]
    distance = np.hypot(*(axis - centre for axis, centre in zip((y, x), 20 + random.uniform(-3, 3, 2), strict=True)))
    outer, inner = (700, 300) if inverted else (300, 700)
    array = np.select([distance < 8, distance < 16], [inner, outer], 0)
    return np.round(array + random.normal(0, 8, array.shape) * (array > 0)).astype(np.int16)[None]


def _make_dicom(folder: Path, pixels: np.ndarray) -> None:
    """A made-up MR series of a made-up person."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    folder.mkdir()
    for number, image in enumerate(pixels):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SOPClassUID, data.SOPInstanceUID, data.Modality = "1.2.840.10008.5.1.4.1.1.4", f"2.25.77{number}", "MR"
        data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID = "2.25.71", "2.25.72", "2.25.73"
        data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
        data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = "Made^Up", "0", "", ""
        data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20200102", "", "S1", "A9"
        data.ReferringPhysicianName, data.SeriesDescription, data.SeriesNumber = "", "t1", 7
        data.Manufacturer, data.ManufacturerModelName = "SCANNER", "Model X"
        data.ScanningSequence, data.SequenceVariant, data.ScanOptions, data.MRAcquisitionType = "GR", "SP", "", "3D"
        data.EchoTime, data.RepetitionTime, data.FlipAngle, data.EchoTrainLength = 2.9, 1900, 15, 1
        data.PatientPosition, data.SliceThickness, data.SpecificCharacterSet = "HFS", 2.5, "ISO_IR 100"
        data.PositionReferenceIndicator, data.InstanceNumber = "", number + 1
        data.ImagePositionPatient = [-20.0, 15.0, 7.0 + 2.5 * number]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.WindowCenter, data.WindowWidth = [1.5, 1.25], 450, 900
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.Rows, data.Columns = image.shape
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
        data.PixelData = np.clip(image, 0, None).astype("<u2").tobytes()
        data.save_as(folder / f"img{number}.dcm", enforce_file_format=True)


def make_models(engine: object) -> None:
    """Untrained small networks as model folders, the imported ones through `sst models import`."""
    import onnx
    import torch
    from onnx import TensorProto, helper, numpy_helper

    engine.save_tiny_models(Path("models"))
    common = ("--into", "models", "--licence", "CC0-1.0")
    sst(
        engine,
        "models",
        "import",
        "data/style/waves.png",
        "--name",
        "picture",
        "--title",
        "Waves",
        "--features",
        "random",
        "--steps",
        4,
        *common,
    )
    sides = ("--source-name", "T1w", "--target-name", "CT", "--source-modality", "MR", "--target-modality", "CT")
    with tempfile.TemporaryDirectory() as scratch:
        for seed, letter in enumerate("AB"):
            torch.save(engine.reference_generator(seed).state_dict(), Path(scratch, f"latest_net_G_{letter}.pth"))
        sst(
            engine,
            "models",
            "import",
            Path(scratch, "latest_net_G_A.pth"),
            "--other-direction",
            Path(scratch, "latest_net_G_B.pth"),
            "--name",
            "reference",
            "--spacing",
            2,
            *sides,
            *common,
        )
        weight = np.random.default_rng(0).normal(size=(1, 1, 3, 3)).astype(np.float32)
        shape = ("n", 1, "h", "w")
        graph = helper.make_graph(
            [
                helper.make_node("Conv", ["image", "weight"], ["features"], pads=[1, 1, 1, 1]),
                helper.make_node("Tanh", ["features"], ["result"]),
            ],
            "generator",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("result", TensorProto.FLOAT, shape)],
            [numpy_helper.from_array(weight, "weight")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, str(Path(scratch, "generator.onnx")))
        sst(engine, "models", "import", Path(scratch, "generator.onnx"), "--name", "onnx", *sides, *common)


def as_options(settings: dict) -> list[str]:
    """Settings -> arguments of ``sst train``."""
    return [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def make_runs(engine: object) -> None:
    """Runs stopped at their second step; how they go on is told by a second, whole run."""
    told = {}
    for method, more in RUNS.items():
        settings = {**RUN_SETTINGS, **more, "method": method, "name": f"discs-{method}", "licence": "CC0-1.0"}
        run = Path("runs", method)
        sst(engine, "train", *as_options(settings | {"output": run, "max_steps": 2}), "--progress", "none")
        kept = run.with_name("kept")
        shutil.copytree(run, kept, ignore=shutil.ignore_patterns("cache"))
        sst(engine, "train", *as_options(settings | {"output": run}), "--resume", "--progress", "none")
        with (run / "losses.csv").open() as stream:
            rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(stream)]
        for row in rows:
            del row["seconds"], row["waiting"]
        told[method] = {"arguments": as_options(settings), "losses": rows}
        shutil.rmtree(run)
        kept.rename(run)
    Path("runs/commands.json").write_text(json.dumps(told, indent=1) + "\n")


def make_reports(engine: object) -> None:
    """Reports of the three commands that judge, and the volumes that they name."""
    common = ["--device", "cpu", "--precision", "fp32", "--progress", "none"]
    head, other = "data/head_T1.nii.gz", "data/head_T2.nii.gz"
    told = {
        "translate": [
            "translate",
            head,
            "reports/translated.nii.gz",
            "--model",
            "models/tiny",
            "--backend",
            "torch",
            "--report",
            "reports/translate.json",
            "--mask",
            "data/mask.nii.gz",
            "--structure-guard",
            "4",
            *common,
        ],
        "evaluate": [
            "evaluate",
            "--model",
            "models/tiny",
            "--source",
            head,
            "--reference",
            other,
            "--backend",
            "torch",
            "--report",
            "reports/evaluate.json",
            "--maps",
            "reports/maps",
            *common,
        ],
        "fuse": ["fuse", head, other, "reports/fused.nii.gz", "--report", "reports/fuse.json", *common],
    }
    for arguments in told.values():
        sst(engine, *arguments)
    Path("reports/commands.json").write_text(json.dumps(told, indent=1) + "\n")


def make_settings(engine: object) -> None:
    """training.yaml, training.json, training_defaults.json."""
    import yaml

    defaults = engine.training_defaults()
    needed = {"source", "target", "output", "max_steps"}
    assert set(TRAINING) == set(defaults) | needed, set(TRAINING) ^ (set(defaults) | needed)
    same = [name for name, value in defaults.items() if TRAINING[name] == value]
    assert not same, f"{same} are at their defaults"
    Path("training.yaml").write_text(yaml.safe_dump(TRAINING, sort_keys=False))
    Path("training.json").write_text(json.dumps(engine.training_settings(Path("training.yaml")), indent=1) + "\n")
    Path("training_defaults.json").write_text(json.dumps(defaults, indent=1) + "\n")


def options(engine: object) -> dict[str, list[str]]:
    """The options that the help of each command names, both words of a switch."""
    found = {}
    for words in engine.commands():
        code, out, err = engine.sst(*words, "--help")
        assert code == 0, (words, err)
        # In the help's table an option stands at the start of its row, behind the frame.
        rows = re.findall(r"^[│|]\s+\*?\s*((?:--?[a-z][\w-]*[ ,]+)+)", out, re.MULTILINE)
        found[" ".join(words)] = sorted({option for row in rows for option in re.findall(r"--[a-z][\w-]*", row)})
    return found


def make_scene(folder: Path) -> None:
    """Fill a scene through the panel, with a translation and a fusion, and save it as Slicer does."""
    folder = folder.resolve()
    slicer_tests = HERE.parent / "slicer"
    # slicer-core takes every folder named "slicer" on the path for a part of itself.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE.parent]
    import slicer

    sys.path[:0] = [str(slicer_tests), str(ROOT / "SurgicalStyleTransfer")]
    from slicer_stand_in import install

    with tempfile.TemporaryDirectory() as temporary:
        install(Path(temporary))
        _fill_scene(slicer, folder)
    os._exit(0)  # the worker and the views need no orderly end here


def _fill_scene(slicer: object, folder: Path) -> None:
    import qt
    import SimpleITK as sitk

    import SurgicalStyleTransfer as module
    from SurgicalStyleTransferLib.jobs import engine as logic
    from SurgicalStyleTransferLib.setup import model_cards

    scene = slicer.mrmlScene
    data, models = folder.parent / "data", folder.parent / "models"
    qt.QSettings().setValue(logic.FOLDER_SETTING, str(models))
    model_cards.shipped_folder = lambda: Path("nowhere")
    parent = slicer.qMRMLWidget()
    qt.QVBoxLayout(parent)
    parent.setMRMLScene(scene)
    widget = module.SurgicalStyleTransferWidget(parent)
    widget.setup()

    def volume(name: str, file: str, kind: str = "vtkMRMLScalarVolumeNode") -> object:
        image = sitk.ReadImage(str(data / file))
        node = scene.AddNewNodeByClass(kind, name)
        slicer.util.updateVolumeFromArray(node, sitk.GetArrayFromImage(image))
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
        matrix[:3, 3] = image.GetOrigin()
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix))
        node.CreateDefaultDisplayNodes()
        return node

    def wait(condition: object) -> None:
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end, widget.ui.statusLabel.text
            slicer.app.processEvents()
            time.sleep(0.01)

    head, other = volume("Head T1", "head_T1.nii.gz"), volume("Head T2", "head_T2.nii.gz")
    region = volume("Region", "mask.nii.gz", "vtkMRMLLabelMapVolumeNode")
    parameters = widget._parameterNode
    nodes = {"inputVolume": head, "region": region, "referenceVolume": other, "matchVolume": other}
    for name, value in {**nodes, **PARAMETERS, "fusionVolumes": [other]}.items():
        setattr(parameters, name, value)
    widget.ui.applyButton.click()
    wait(lambda: widget.logic.engine.run is None)
    assert parameters.resultVolume is not None, widget.ui.statusLabel.text
    widget.ui.fusionButton.click()
    wait(lambda: widget.panel.fusion.run is None)
    volumes = slicer.util.getNodesByClass("vtkMRMLVolumeNode")
    assert len(volumes) == 5, [node.GetName() for node in volumes]
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
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
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


if __name__ == "__main__":
    if sys.argv[1] == "--scene":
        make_scene(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]).resolve())
