"""Radiographs, PNG, TIFF and single-frame DICOM, through every command that takes volumes."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from surgical_style_engine.app.report import read_report
from surgical_style_engine.imageio.read import read_volume

pydicom = pytest.importorskip("pydicom")
SIZE = (96, 112)  # columns, rows


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A small 2-D model between two looks of radiographs."""
    import torch

    from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard
    from surgical_style_engine.models.folder import save_model
    from surgical_style_engine.networks import build_generator
    from surgical_style_engine.volumes.normalization import PercentileLandmarks, RobustPercentile

    torch.manual_seed(0)
    arguments = {"in_channels": 1, "out_channels": 1, "ngf": 4, "n_blocks": 1}
    states = [build_generator("resnet", **arguments).state_dict() for _ in range(2)]
    inverse = PercentileLandmarks(low=0, high=230, maximum=255)
    domains = [
        Domain(name=name, modality="DX", normalization=RobustPercentile(), inverse=inverse)
        for name in ("portable", "standing")
    ]
    card = ModelCard(
        name="chest",
        title="Chest",
        architecture=Architecture(name="resnet", arguments=arguments),
        spacing_mm=None,
        domains=Domains(source=domains[0], target=domains[1]),
        directions=["forward", "backward"],
    )
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
        "translate",
        radiograph,
        out,
        "--model",
        model,
        "--report",
        report,
        "--maps",
        tmp_path / "maps",
        "--ensemble",
        "--structure-guard",
        "3",
    )
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
        "evaluate",
        "--model",
        model,
        "--source",
        tmp_path / "s",
        "--reference",
        tmp_path / "t",
        "--report",
        tmp_path / "r.json",
    )
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


def derived(sst, source, model, out, *options):
    """The one DICOM file that --dicom made of a radiograph."""
    ended = sst("translate", source, out, "--model", model, "--dicom", *options)
    assert ended.code == 0, ended
    (file,) = out.iterdir()
    return file


@pytest.mark.parametrize("modality", ["DX", "CR"])
@pytest.mark.parametrize("as_folder", [False, True])
def test_a_derived_radiograph(sst, model, tmp_path, modality, as_folder):
    path = write_dx(tmp_path / "in" / "a.dcm", modality)
    file = derived(sst, path.parent if as_folder else path, model, tmp_path / "out", "--structure-guard", "0.6")
    source, made = pydicom.dcmread(path), pydicom.dcmread(file)
    assert made.Modality == "CR" and made.SOPClassUID == "1.2.840.10008.5.1.4.1.1.1"
    assert list(made.ImageType) == ["DERIVED", "SECONDARY", "OTHER", "SYNTHETIC"] and made[0x0008001C].value == "YES"
    for keyword in (
        "PatientName",
        "PatientID",
        "StudyInstanceUID",
        "ViewPosition",
        "BodyPartExamined",
        "ImagerPixelSpacing",
        "PatientOrientation",
        "AccessionNumber",
    ):
        assert made[keyword].value == source[keyword].value, keyword
    for keyword in ("KVP", "Exposure", "DetectorID", "ProtocolName", "PresentationIntentType", "FrameOfReferenceUID"):
        assert keyword not in made, keyword
    assert made.SeriesInstanceUID != source.SeriesInstanceUID and made.SOPInstanceUID != source.SOPInstanceUID
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert "Doe" not in made.SeriesDescription and "structure guard 0.6 mm" in made.DerivationDescription
    before, after = read_volume(path), read_volume(file)
    assert after.is_2d and after.same_grid(before)
    ended = sst("translate", path, tmp_path / "o.nrrd", "--model", model, "--structure-guard", "0.6")
    assert ended.code == 0
    step = float(made.get("RescaleSlope", 1))
    assert np.abs(after.array - read_volume(tmp_path / "o.nrrd").array).max() <= 0.5 * step + 1e-3


def test_air_is_dark_however_it_is_stored(sst, model, tmp_path):
    bright = chest().astype(np.uint16) * 16
    white = write_dx(tmp_path / "in" / "a.dcm")
    stored = write_dx(
        tmp_path / "other" / "a.dcm",
        PhotometricInterpretation="MONOCHROME1",
        PixelData=(4095 - bright).astype(np.uint16).tobytes(),
    )
    np.testing.assert_array_equal(read_volume(stored).array, read_volume(white).array)
    made = pydicom.dcmread(derived(sst, stored, model, tmp_path / "out"))
    same = pydicom.dcmread(derived(sst, white, model, tmp_path / "out2"))
    assert made.PhotometricInterpretation == "MONOCHROME2"
    np.testing.assert_array_equal(made.pixel_array, same.pixel_array)


def test_a_derived_radiograph_passes_dciodvfy(sst, model, tmp_path):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: dicom3tools)")
    for number, tags in enumerate(({}, {"BodyPartExamined": "", "ViewPosition": "", "Laterality": "R"})):
        path = write_dx(tmp_path / f"in{number}" / "a.dcm", **tags)
        file = derived(sst, path, model, tmp_path / f"out{number}")
        said = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True)
        lines = (said.stdout + said.stderr).splitlines()
        assert "CRImage" in lines, lines
        known = "(0x0008,0x001c)"  # SyntheticData, which its dictionary of 2022 lacks
        assert not [line for line in lines if "Error" in line and known not in line], lines
        extra = [line for line in lines if "not present in standard DICOM IOD - (" in line]
        assert all(known in line for line in extra), extra


def test_a_derived_radiograph_has_what_the_standards_tables_ask_for(sst, model, tmp_path):
    standard = pytest.importorskip("highdicom._standard_utils")
    data = pydicom.dcmread(derived(sst, write_dx(tmp_path / "in" / "a.dcm"), model, tmp_path / "out"))
    kind = standard.get_sop_class_iod_map()[data.SOPClassUID]
    usages = {module["key"]: module["usage"] for module in standard.get_iod_module_map()[kind]}
    rows = [(key, row) for key in usages for row in standard.get_module_attribute_map()[key] if not row["path"]]
    assert {element.keyword for element in data} <= {row["keyword"] for _, row in rows}
    asked = [(row["keyword"], row["type"]) for key, row in rows if usages[key] == "M" and row["type"] in "12"]
    assert len(asked) > 25
    for keyword, kind in asked:
        assert keyword in data and (kind == "2" or not data[keyword].is_empty), keyword


def test_what_dicom_output_of_pictures_refuses(refused, model, tmp_path):
    path = write_dx(tmp_path / "in" / "a.dcm")
    picture = tmp_path / "a.png"
    Image.fromarray(chest()).save(picture)
    frames = write_dx(tmp_path / "frames" / "a.dcm", Modality="MG")
    for source, sentence in ((picture, "needs a"), (frames, "needs a folder"), (frames.parent, "no single radiograph")):
        assert sentence in refused("translate", source, tmp_path / "o", "--model", model, "--dicom")
        assert not (tmp_path / "o").exists()
    refused("translate", path, tmp_path / "o.dcm", "--model", model, "--dicom")
