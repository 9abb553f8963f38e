"""`sst translate` of a BIDS data set: a data set of derivatives that the BIDS validator accepts."""

import json
import shutil
import subprocess

import pytest

from surgical_style_engine.imageio.write import write_volume

NAME = "sub-01_ses-a_acq-x_run-1"


@pytest.fixture
def raw(tmp_path, head_volume):
    for patient in ("01", "02"):
        folder = tmp_path / "raw" / f"sub-{patient}" / "ses-a" / "anat"
        folder.mkdir(parents=True)
        for number, kind in enumerate(("T1w", "T2w", "ce-gadolinium_T1w")):
            entities = "" if kind.startswith("ce") else "acq-x_run-1_"
            write_volume(head_volume(number), folder / f"sub-{patient}_ses-a_{entities}{kind}.nii.gz")
    values = {"Name": "Heads", "BIDSVersion": "1.8.0", "License": "CC0", "Authors": ["A. B.", "C. D."]}
    (tmp_path / "raw" / "dataset_description.json").write_text(json.dumps(values))
    return tmp_path / "raw"


def images(out):
    return sorted(path.relative_to(out).as_posix() for path in out.glob("sub-*/**/*.nii.gz"))


def test_derivatives(sst, raw, tiny_model, tmp_path):
    out = tmp_path / "out"
    common = ("--model", tiny_model, "--no-quality", "--progress", "none")
    ended = sst("translate", raw, out, *common)
    assert ended.code == 0, ended
    assert "images with the suffix T1w without a contrast agent, as the model takes them." in ended.err
    expected = [f"sub-{p}/ses-a/anat/sub-{p}_ses-a_acq-x_run-1_desc-synthetic_T2w.nii.gz" for p in ("01", "02")]
    assert images(out) == expected
    sidecar = json.loads((out / expected[0].replace(".nii.gz", ".json")).read_text())
    assert sidecar["Sources"] == [f"bids:raw:sub-01/ses-a/anat/{NAME}_T1w.nii.gz"] and sidecar["Synthetic"] is True
    card = json.loads((tiny_model / "model.json").read_text())
    assert sidecar["StyleModelSHA256"] == card["weights"]["sha256"] and sidecar["SyntheticTo"] == "T2w"
    said = json.loads((out / "dataset_description.json").read_text())
    assert said["DatasetType"] == "derivative" and said["GeneratedBy"][0]["Name"] == "SurgicalStyleTransfer"
    assert (out / said["DatasetLinks"]["raw"]).resolve() == raw.resolve() and said["SourceDatasets"]

    part = sst("translate", raw / "sub-02" / "ses-a" / "anat", out, *common)
    assert part.code == 0 and "1 of 1 volumes translated, 1 of them before" in part.out
    (out / expected[0].replace(".nii.gz", ".json")).unlink()
    again = sst("translate", raw, out, *common, "--subject", "01")
    assert "1 of 1 volumes translated\n" in again.out  # its sidecar was gone
    assert (out / expected[0].replace(".nii.gz", ".json")).exists()


def test_a_suffix_that_is_named(sst, raw, tiny_model, tmp_path):
    ended = sst("translate", raw, tmp_path / "out", "--model", tiny_model, "--no-quality", "--suffix", "T2w")
    assert "with the suffix" not in ended.err and len(images(tmp_path / "out")) == 2


def test_what_is_refused(refused, raw, tiny_model, tmp_path, head_volume):
    out, common = tmp_path / "out", ("--model", tiny_model)
    assert "there are: 4 T1w, 2 T2w" in refused("translate", raw, out, *common, "--suffix", "FLAIR").replace("\n", " ")
    assert "is the data set itself" in refused("translate", raw, raw, *common, "--suffix", "T1w")
    assert "holds no DICOM" in refused("translate", raw, out, *common, "--dicom", "--suffix", "T1w")
    (tmp_path / "plain").mkdir()
    write_volume(head_volume(), tmp_path / "plain" / "p1.nii.gz")
    assert "which" in refused("translate", tmp_path / "plain", out, *common, "--subject", "01")
    out.mkdir()
    (out / "dataset_description.json").write_text(json.dumps({"GeneratedBy": [{"Name": "fMRIPrep"}]}))
    assert "not of this program" in refused("translate", raw, out, *common, "--suffix", "T1w")


def _validated(folder):
    """What the BIDS validator has against a data set: its errors; None for none."""
    ended = subprocess.run(
        [shutil.which("bids-validator-deno"), str(folder), "--format", "json"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    issues = json.loads(ended.stdout)["issues"]["issues"]
    return [issue for issue in issues if issue["severity"] == "error"] or None


def test_the_bids_validator_accepts_it(sst, raw, tiny_model, tmp_path):
    if shutil.which("bids-validator-deno") is None:
        pytest.skip("the BIDS validator is not installed (pip install bids-validator-deno)")
    assert sst("translate", raw, tmp_path / "out", "--model", tiny_model, "--progress", "none").code == 0
    assert _validated(tmp_path / "out") is None, _validated(tmp_path / "out")
    (tmp_path / "out" / ".bidsignore").unlink()
    assert _validated(tmp_path / "out")  # it would have said something
