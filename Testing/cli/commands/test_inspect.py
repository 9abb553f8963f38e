"""`sst inspect`, and what `sst translate` says without a model, of what does not fit, and with --force."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from recognise_volumes import ct, head

from surgical_style_engine.app.report import read_report
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume


@pytest.fixture
def scans(tmp_path):
    """A folder with an MR called T1, another called T2, and a CT."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, volume in (("p1_T1.nrrd", head()), ("p1_T2.nrrd", head(seed=1)), ("p2.nrrd", ct())):
        write_volume(volume, folder / name)
    return folder


def header(path):
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}


class TestInspect:
    def test_what_an_image_is_and_who_says_so(self, sst, scans):
        ended = sst("inspect", scans / "p2.nrrd")
        assert ended.code == 0 and ended.out == "p2.nrrd: CT, by its voxels.\n"

    def test_as_json(self, sst, scans):
        ended = sst("inspect", scans, "--json")
        entries = json.loads(ended.out)
        assert ended.code == 0 and [entry["input"].rsplit("/")[-1] for entry in entries] == [
            "p1_T1.nrrd",
            "p1_T2.nrrd",
            "p2.nrrd",
        ]
        assert entries[2]["kind"] == "CT" and entries[2]["styles"] == []
        assert {"modality", "contrast_agent", "brain_extracted", "synthetic", "disagreement"} <= set(entries[0])

    def test_what_cannot_be_read(self, refused, sst, tmp_path, scans):
        assert "does not exist" in refused("inspect", tmp_path / "none.nrrd")
        write_volume(head().with_array(np.zeros((1, 5, 6, 7))), tmp_path / "flat.nrrd")
        assert "is constant" in refused("inspect", tmp_path / "flat.nrrd")
        write_volume(head().with_array(np.zeros((1, 5, 6, 7))), scans / "flat.nrrd")
        ended = sst("inspect", scans)
        assert ended.code == 2 and "p2.nrrd: CT" in ended.out and "1 of 4 images could not be read." in ended.err


class TestWithoutAModel:
    def test_styles_that_fit_are_named_and_nothing_is_written(self, sst, scans, tmp_path):
        out = tmp_path / "out.nrrd"
        ended = sst("translate", scans / "p1_T1.nrrd", out)
        assert ended.code == 2 and not out.exists()
        if "p1_T1.nrrd: T1w" in ended.err:  # a phantom: its voxels may say another thing, or nothing
            command = f"T1w to T2w: sst translate {scans / 'p1_T1.nrrd'} {out} --model brain-mr-t1w-t2w"
            assert command in ended.err
        assert ended.err.splitlines()[-1] == "sst: --model is missing: name one of the styles above that fit."

    def test_a_folder(self, sst, scans, tmp_path):
        ended = sst("translate", scans, tmp_path / "out")
        assert ended.code == 2 and not (tmp_path / "out").exists()
        assert "p2.nrrd: CT, by its voxels." in ended.err and "No style on this machine is known to fit CT" in ended.err


class TestAnotherModality:
    def test_refused_and_forced(self, sst, refused, scans, tiny_model, tmp_path):
        out, report = tmp_path / "out.nrrd", tmp_path / "r.json"
        sentence = refused("translate", scans / "p2.nrrd", out, "--model", tiny_model)
        assert sentence == (
            "p2.nrrd is CT by its voxels, but the model tiny takes MR (T1w). "
            "With --force it is translated nevertheless."
        )
        assert not out.exists()
        ended = sst(
            "translate", scans / "p2.nrrd", out, "--model", tiny_model, "--force", "--report", report, "--no-quality"
        )
        assert ended.code == 0 and "Warning: Translated nevertheless" in ended.err
        assert header(out)["SyntheticForced"].startswith("p2.nrrd is CT by its voxels")
        told = read_report(report)
        assert told["recognised"]["kind"] == "CT" and "Translated nevertheless" in told["warnings"][-1]

    def test_a_folder_goes_on_and_names_what_was_left_out(self, sst, scans, tiny_model, tmp_path):
        report = tmp_path / "r.json"
        ended = sst("translate", scans, tmp_path / "out", "--model", tiny_model, "--report", report, "--no-quality")
        assert ended.code == 1 and "sst: p2.nrrd: p2.nrrd is CT by its voxels" in ended.err
        assert "1 of 3 volumes could not be translated." in ended.err
        assert sorted(path.name for path in (tmp_path / "out").glob("*.nrrd")) == [
            "p1_T1_synthetic.nrrd",
            "p1_T2_synthetic.nrrd",
        ]
        assert [entry["input"] for entry in read_report(report)["failed"]] == [str(scans / "p2.nrrd")]


def test_a_synthetic_input_is_told_and_stays_marked(sst, scans, tiny_model, tmp_path):
    first, second = tmp_path / "first.nii.gz", tmp_path / "second.nrrd"
    assert sst("translate", scans / "p1_T1.nrrd", first, "--model", tiny_model).code == 0
    assert read_volume(first).metadata["Synthetic"] == "yes"
    ended = sst("translate", first, second, "--model", tiny_model)
    assert ended.code == 0 and "Warning: The image is synthetic already, as its header says" in ended.err
    assert "synthetic already" in header(second)["SyntheticDoubts"]


def test_real_images_given_to_the_wrong_style(shared_data, sst, tmp_path):
    folder = shared_data / "open-ms" / "longitudinal"
    for name, kind in (("patient01_study1_T2W", "T2w"), ("patient20_study2_FLAIR", "FLAIR")):
        out = tmp_path / "out.nrrd"
        ended = sst("translate", folder / f"{name}.nii.gz", out, "--model", "brain-mr-t1w-t2w", "--device", "cpu")
        assert ended.code == 0 and f"Warning: The image is {kind} by its voxels" in ended.err, ended.err
        assert f"The image is {kind}" in header(out)["SyntheticDoubts"]
    ended = sst(
        "translate", folder / "patient01_study1_T1W.nii.gz", tmp_path / "ok.nrrd", "--model", "brain-mr-t1w-t2w"
    )
    assert ended.code == 0 and "The image is" not in ended.err and "SyntheticDoubts" not in header(tmp_path / "ok.nrrd")
