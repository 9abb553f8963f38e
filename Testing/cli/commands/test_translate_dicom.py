"""`sst translate --dicom`: a DICOM series in, a DICOM series out, and nothing of the patient anywhere else."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from tiny_models import make_tiny_model

from surgical_style_engine.app.report import read_report
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, generate_uid  # noqa: E402

MR, DX = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.1.1"
WORDS = ("Doe", "Jane", "4711", "19700101", "Elsewhere", "Gatekeeper", "A-99")


def write_series(folder, volume, **tags):
    """``volume`` (int16, not negative) as an MR series of a made-up patient, files against the positions."""
    folder.mkdir(parents=True)
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    for number, plane in enumerate(volume.array[0]):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SOPClassUID, data.SOPInstanceUID, data.Modality = MR, generate_uid(), "MR"
        data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID = series, study, frame
        data.PatientName, data.PatientID, data.PatientBirthDate = "Doe^Jane", "ID-4711", "19700101"
        data.InstitutionName, data.ReferringPhysicianName, data.AccessionNumber = "St Elsewhere", "Gatekeeper^G", "A-99"
        data.SeriesDescription, data.InstanceNumber = "t1 of Jane", 50 - number
        place = np.asarray(volume.origin) + volume.direction[:, 2] * volume.spacing[2] * number
        data.ImagePositionPatient = [f"{value:.9f}" for value in place]
        data.ImageOrientationPatient = [f"{value:.9f}" for value in volume.direction[:, :2].T.ravel()]
        data.PixelSpacing, data.SliceThickness = [volume.spacing[1], volume.spacing[0]], volume.spacing[2]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.Rows, data.Columns = plane.shape
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 1
        data.PixelData = plane.astype("<i2").tobytes()
        for keyword, value in tags.items():
            setattr(data, keyword, value) if value is not None else delattr(data, keyword)
        data.save_as(folder / f"{50 - number}.dcm", enforce_file_format=True)
    return folder


@pytest.fixture
def series(tmp_path, head_volume):
    return write_series(tmp_path / "in" / "series", head_volume())


def test_a_series_becomes_a_series_and_nothing_else_names_the_patient(sst, series, tiny_model, tmp_path):
    before = {path.name: path.read_bytes() for path in series.iterdir()}
    out, report = tmp_path / "out", tmp_path / "r.json"
    ended = sst("translate", series, out, "--model", tiny_model, "--dicom", "--report", report, "--device", "cpu")
    assert ended.code == 0, ended
    source, back = read_volume(series), read_volume(out)
    assert back.size == source.size and back.spacing == source.spacing and back.origin == source.origin
    assert np.array_equal(back.direction, source.direction) and not np.array_equal(back.array, source.array)
    made = [pydicom.dcmread(path) for path in sorted(out.iterdir())]
    sha = json.loads((tiny_model / "model.json").read_text())["weights"]["sha256"]
    assert len(made) == 10 and [data.InstanceNumber for data in made] == list(range(41, 51))
    for data in made:
        assert data.PatientName == "Doe^Jane" and list(data.ImageType[:2]) == ["DERIVED", "SECONDARY"]
        assert data.SeriesDescription == f"SYNTHETIC T2w from T1w by tiny {sha[:12]}"
        assert sha in data.DerivationDescription
    said = ended.out + ended.err + report.read_text()
    assert "synthetic" in said and not [word for word in WORDS if word in said]
    found = read_report(report)
    assert found["output"] == str(out) and found["slices"] == 8 and found["quality"]["semantic_consistency"] > 0
    assert {path.name: path.read_bytes() for path in series.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "r.json"]


def test_the_values_are_those_of_a_file_output_rounded(sst, series, tiny_model, tmp_path):
    common = ("--model", tiny_model, "--device", "cpu", "--precision", "fp32", "--direction", "backward")
    assert sst("translate", series, tmp_path / "f.nrrd", *common).code == 0
    assert sst("translate", series, tmp_path / "d", "--dicom", *common).code == 0
    error = np.abs(read_volume(tmp_path / "f.nrrd").array - read_volume(tmp_path / "d").array)
    assert 0 < error.max() <= 0.5


def test_outside_the_mask_the_input_stays(sst, series, tiny_model, tmp_path):
    volume = read_volume(series)
    inside = np.zeros(volume.array.shape, np.uint8)
    inside[:, 3:6, 10:30, 10:30] = 1
    write_volume(volume.with_array(inside), tmp_path / "mask.nrrd")
    common = ("translate", series, tmp_path / "out", "--model", tiny_model, "--dicom")
    assert sst(*common, "--mask", tmp_path / "mask.nrrd").code == 0
    masked = read_volume(tmp_path / "out").array
    assert np.array_equal(masked[inside == 0], volume.array[inside == 0])
    assert not np.array_equal(masked[inside == 1], volume.array[inside == 1])
    assert "inside a mask" in pydicom.dcmread(next((tmp_path / "out").iterdir())).DerivationDescription


def test_a_cohort_of_series_and_one_that_cannot_be(sst, head_volume, tiny_model, tmp_path):
    for number in (1, 2):
        write_series(tmp_path / "in" / f"case{number}", head_volume(number))
    write_series(tmp_path / "in" / "case3", head_volume(3), FrameOfReferenceUID=None)
    ended = sst("translate", tmp_path / "in", tmp_path / "out", "--model", tiny_model, "--dicom", "--no-quality")
    assert ended.code == 1 and "1 of 3" in ended.err and "case3" in ended.err and "FrameOfReferenceUID" in ended.err
    assert sorted(path.name for path in (tmp_path / "out").glob("case*")) == ["case1_synthetic", "case2_synthetic"]
    for number in (1, 2):
        assert len(list((tmp_path / "out" / f"case{number}_synthetic").iterdir())) == 10
    assert not [word for word in WORDS if word in ended.out + ended.err]


def test_the_real_series(sst, tiny_model, tmp_path, shared_data):
    source = shared_data / "dicom" / "vs-seg-001"
    if not source.is_dir():
        pytest.skip("the real DICOM series is not there")
    few = tmp_path / "series"
    few.mkdir()
    for path in sorted(source.glob("*.dcm"))[:4]:
        shutil.copy(path, few)
    report = tmp_path / "r.json"
    options = ("--model", tiny_model, "--dicom", "--report", report, "--no-quality")
    ended = sst("translate", few, tmp_path / "out", *options)
    assert ended.code == 0, ended
    volume, back = read_volume(few), read_volume(tmp_path / "out")
    assert back.size == volume.size == (512, 512, 4) and back.origin == volume.origin and back.spacing == volume.spacing
    patient = str(pydicom.dcmread(tmp_path / "out" / "0001.dcm").PatientName)
    assert patient == str(pydicom.dcmread(few / "1-041.dcm").PatientName)
    assert patient and patient not in ended.out + ended.err + report.read_text()


def test_what_is_refused_leaves_nothing(refused, series, head_volume, tiny_model, tmp_path):
    nifti = tmp_path / "files" / "a.nii.gz"
    nifti.parent.mkdir()
    write_volume(head_volume(), nifti)
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("years of work")
    one = head_volume().with_array(head_volume().array[:, 4:5])
    picture = write_series(tmp_path / "in" / "xray", one, Modality="DX", SOPClassUID=DX)
    no_place = write_series(tmp_path / "in" / "no_place", head_volume(), PixelSpacing=None)
    mixed = tmp_path / "in" / "mixed"
    shutil.copytree(series, mixed)
    shutil.copy(nifti, mixed)
    colour = make_tiny_model(tmp_path / "models", "colour", channels=3)
    pet = make_tiny_model(tmp_path / "models", "pet", modality="PT")
    unstated = make_tiny_model(tmp_path / "models", "unstated", modality="")
    out = tmp_path / "outputs" / "o"
    out.parent.mkdir()
    for arguments, words in (
        (["translate", nifti, out, "--model", tiny_model], "a.nii.gz is not"),
        (["translate", nifti.parent, out, "--model", tiny_model], "a.nii.gz is not"),
        (["translate", series / "50.dcm", out, "--model", tiny_model], "50.dcm is not"),
        (["translate", mixed, out, "--model", tiny_model], "is not"),
        (["translate", series, out.with_suffix(".nii.gz"), "--model", tiny_model], "name of a file"),
        (["translate", series, full, "--model", tiny_model], "not empty"),
        (["translate", series, series, "--model", tiny_model], "not empty"),
        (["translate", series, nifti.parent / "none" / "o", "--model", tiny_model], "does not exist"),
        (["translate", series, out, "--model", colour], "colour"),
        (["translate", series, out, "--model", pet], "'PT'"),
        (["translate", series, out, "--model", unstated], "no modality"),
        (["translate", picture, out, "--model", tiny_model], "plane picture"),
        (["translate", no_place, out, "--model", tiny_model], "no usable PixelSpacing"),
    ):
        sentence = refused(*arguments, "--dicom")
        assert words in sentence, (arguments, sentence)
        assert not [word for word in WORDS if word in sentence]
        assert list(out.parent.iterdir()) == [] and [path.name for path in full.iterdir()] == ["thesis.txt"]
    assert len(list(series.iterdir())) == 10


def test_a_full_disk_is_one_sentence(refused, series, tiny_model, tmp_path, monkeypatch):
    import errno

    def full(_self, _path, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Dataset, "save_as", full)
    out = tmp_path / "outputs" / "o"
    out.parent.mkdir()
    assert "No space left" in refused("translate", series, out, "--model", tiny_model, "--dicom", code=1)
    assert list(out.parent.iterdir()) == []


def test_a_picture_beside_the_slices_is_left_out_and_named(sst, series, tiny_model, tmp_path):
    write_volume(
        Volume(np.random.default_rng(0).integers(0, 255, (3, 1, 16, 16)).astype(np.uint8), is_2d=True),
        series / "preview.png",
    )
    report = tmp_path / "r.json"
    arguments = ("--model", tiny_model, "--report", report, "--no-quality")
    for output, options in (("o.nii.gz", ()), ("new", ("--dicom",))):
        ended = sst("translate", series, tmp_path / output, *arguments, *options)
        assert ended.code == 0, ended
        assert read_volume(tmp_path / output).size == read_volume(series).size
        told = "Beside the DICOM series, series holds preview.png, which was left out."
        assert read_report(report)["warnings"] == [told] and f"Warning: {told}" in ended.err


@pytest.mark.parametrize("options", [("--strength", "0"), ("--strength", "0.5"), ("--mask", "mask.nrrd"), ()])
def test_what_is_mixed_of_two_units_does_not_pass_for_hu(sst, series, tmp_path, options):
    model = make_tiny_model(tmp_path, "mr-ct")
    card = json.loads((model / "model.json").read_text())
    card["domains"]["target"] |= {
        "modality": "CT",
        "units": "HU",
        "normalization": {"kind": "hu_window", "lower": -1000, "upper": 2000},
        "inverse": {"kind": "hu_window", "low": -1000, "high": 2000},
    }
    (model / "model.json").write_text(json.dumps(card))
    volume = read_volume(series)
    inside = np.zeros(volume.array.shape, np.uint8)
    inside[:, 3:6, 10:30, 10:30] = 1
    write_volume(volume.with_array(inside), tmp_path / "mask.nrrd")
    options = [tmp_path / part if part == "mask.nrrd" else part for part in options]
    report = tmp_path / "r.json"
    common = ("--model", model, "--report", report, "--no-quality", *options)
    assert sst("translate", series, tmp_path / "out", "--dicom", *common).code == 0
    mixed = bool(options)
    for path in (tmp_path / "out").iterdir():
        made = pydicom.dcmread(path)
        assert made.Modality == "CT" and made.RescaleType == ("US" if mixed else "HU")
        for text in (made.DerivationDescription, made.ImageComments):
            assert ("the values are no measurements" in text) == mixed
        assert ("SOFT TISSUE" in made.WindowCenterWidthExplanation) == (not mixed)
    assert read_report(report)["units"] == ("mixed" if mixed else "HU")
    assert sst("translate", series, tmp_path / "o.nrrd", *common).code == 0
    header = sitk.ReadImage(str(tmp_path / "o.nrrd"))
    assert ("SyntheticUnits" in header.GetMetaDataKeys()) == mixed
