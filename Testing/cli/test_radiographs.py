"""Radiographs, PNG, TIFF and single-frame DICOM, through every command that takes volumes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from surgical_style_engine.report import read_report
from surgical_style_engine.volume_io import read_volume

pydicom = pytest.importorskip("pydicom")
SIZE = (96, 112)  # columns, rows


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A small 2-D model between two looks of radiographs."""
    import torch

    from surgical_style_engine.model_folder import Architecture, Domain, Domains, ModelCard, save_model
    from surgical_style_engine.networks import build_generator
    from surgical_style_engine.normalization import PercentileLandmarks, RobustPercentile

    torch.manual_seed(0)
    arguments = {"in_channels": 1, "out_channels": 1, "ngf": 4, "n_blocks": 1}
    states = [build_generator("resnet", **arguments).state_dict() for _ in range(2)]
    inverse = PercentileLandmarks(low=0, high=230, maximum=255)
    domains = [
        Domain(name=name, modality="DX", normalization=RobustPercentile(), inverse=inverse)
        for name in ("portable", "standing")
    ]
    card = ModelCard(
        name="chest", title="Chest", architecture=Architecture(name="resnet", arguments=arguments), spacing_mm=None,
        domains=Domains(source=domains[0], target=domains[1]), directions=["forward", "backward"],
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("models") / "chest"
    save_model(folder, card, *states)
    return folder


def chest(seed=0) -> np.ndarray:
    """(rows, columns) uint8: two dark lungs in a body."""
    y, x = np.mgrid[-1 : 1 : SIZE[1] * 1j, -1 : 1 : SIZE[0] * 1j]
    image = np.where(np.abs(x) < 0.9, 160.0, 5.0)
    for side in (-0.4, 0.4):
        image[((x - side) / 0.3) ** 2 + (y / 0.7) ** 2 < 1] = 60
    image += 25 * np.sin(14 * y) * (np.abs(x) < 0.8)
    return np.clip(image + np.random.default_rng(seed).normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def write_dx(path: Path, modality="DX", **tags) -> Path:
    """A made-up digital radiograph, single-frame, as a detector writes it."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = {"DX": "1.2.840.10008.5.1.4.1.1.1.1", "CR": "1.2.840.10008.5.1.4.1.1.1"}[modality]
    data.SOPInstanceUID, data.Modality, data.SpecificCharacterSet = generate_uid(), modality, "ISO_IR 100"
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = "Doe^Jane", "ID-4711", "19700101", "F"
    data.StudyDate, data.StudyTime, data.AccessionNumber, data.StudyID = "20200102", "101500", "A9", "S1"
    data.SeriesNumber, data.InstanceNumber, data.BodyPartExamined, data.ViewPosition = 3, 1, "CHEST", "PA"
    data.ImageType, data.PresentationIntentType = ["ORIGINAL", "PRIMARY"], "FOR PRESENTATION"
    data.ImagerPixelSpacing, data.PatientOrientation = ["0.148", "0.148"], ["L", "F"]
    data.Manufacturer, data.KVP, data.Exposure, data.DetectorID = "SCANNER", 120, 3, "SN123"
    data.ProtocolName, data.SeriesDescription = "chest Doe", "chest pa"
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    pixels = chest().astype(np.uint16) * 16
    data.Rows, data.Columns = pixels.shape
    data.PixelData = pixels.tobytes()
    for keyword, value in tags.items():
        setattr(data, keyword, value)
    path.parent.mkdir(exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture(params=["a.png", "a.tif", "a.dcm", "real.png"])
def radiograph(request, tmp_path) -> Path:
    path = tmp_path / "in" / request.param
    path.parent.mkdir()
    if request.param == "a.dcm":
        return write_dx(path)
    if request.param == "real.png":
        shared = request.getfixturevalue("shared_data") / "xray" / "nih_00000001_000.png"
        Image.open(shared).convert("L").resize((128, 128)).save(path)
        return path
    Image.fromarray(chest()).save(path)
    return path


def test_translate_report_and_page(sst, radiograph, model, tmp_path):
    out, report = tmp_path / "out.png", tmp_path / "r.json"
    ended = sst(
        "translate", radiograph, out, "--model", model, "--report", report, "--maps", tmp_path / "maps", "--ensemble",
        "--structure-guard", "3",
    )  # fmt: skip
    assert ended.code == 0, ended
    before, after = read_volume(radiograph), read_volume(out)
    assert before.is_2d and after.array.shape == before.array.shape
    found = read_report(report)
    assert found["slices"] == 4 and found["quality"]["worst"] == []
    assert 0 < found["quality"]["semantic_consistency"] <= 1 and found["quality"]["look_ahead_score"] > 0
    ended = sst("report", report)
    assert ended.code == 0, ended
    text = report.with_suffix(".html").read_text()
    assert "Translation portable to standing" in text and "Disagreement" in text and text.count("<canvas") >= 4


def test_adjusted_and_masked(sst, radiograph, model, tmp_path):
    mask = np.zeros(read_volume(radiograph).array.shape[2:], np.uint8)
    mask[20:80, 20:80] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    out = tmp_path / "out.tif"
    ended = sst("translate", radiograph, out, "--model", model, "--mask", tmp_path / "mask.png", "--match", radiograph)
    assert ended.code == 0, ended
    before, after = read_volume(radiograph).array, read_volume(out).array
    # Pixel by pixel, whatever spacing the radiograph has. Pictures are scaled when they are written: compare ranks.
    outside = mask[None, None] == 0
    order = np.argsort(before[outside], kind="stable")
    assert after.shape == before.shape and (np.diff(after[outside][order].astype(float)) >= 0).all()
    order = np.argsort(before[~outside], kind="stable")
    assert (np.diff(after[~outside][order].astype(float)) < 0).any()
    ended = sst("translate", radiograph, out, "--model", model, "--strength", "auto", "--least-consistency", "0.9")
    assert ended.code == 0 and "consistency" in ended.out, ended


def test_evaluate_against_a_reference(sst, model, tmp_path):
    for folder, seed in (("s", 0), ("t", 1)):
        (tmp_path / folder).mkdir()
        Image.fromarray(chest(seed)).save(tmp_path / folder / "p1.png")
    ended = sst(
        "evaluate", "--model", model, "--source", tmp_path / "s", "--reference", tmp_path / "t",
        "--report", tmp_path / "r.json",
    )  # fmt: skip
    assert ended.code == 0, ended
    paired = read_report(tmp_path / "r.json")["quality"]["reference"]
    assert paired["floors"]["input"]["ssim"] > 0.5 and paired["psnr"] > 0
    assert sst("report", tmp_path / "r.json").code == 0


def test_fuse_two_exposures(sst, tmp_path):
    image = chest().astype(float)
    for name, made in (("a.png", np.clip(image * 1.4, 0, 255)), ("b.png", np.clip(image * 0.6, 0, 255))):
        Image.fromarray(made.astype(np.uint8)).save(tmp_path / name)
    out = tmp_path / "fused.png"
    ended = sst("fuse", tmp_path / "a.png", tmp_path / "b.png", out, "--report", tmp_path / "r.json")
    assert ended.code == 0, ended
    assert read_volume(out).array.shape == read_volume(tmp_path / "a.png").array.shape
    assert sst("report", tmp_path / "r.json").code == 0
