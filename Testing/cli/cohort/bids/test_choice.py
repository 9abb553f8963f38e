"""harmonise, stylize, fuse and evaluate of a BIDS data set; the validator accepts what is written."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import SimpleITK as sitk
from tissue_phantom import tissue_phantom

from surgical_style_engine.imageio.write import write_volume

T2W_LEVELS = {"CSF": 900.0, "grey": 500.0, "white": 380.0, "scalp": 500.0, "bone": 30.0}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Two subjects with T1w and T2w of one visit, the second one's in parts."""
    root = tmp_path_factory.mktemp("bids") / "raw"
    for number, (subject, kinds) in enumerate((("01", ("T1w", "T2w")), ("02", ("T1w", "ce-gadolinium_T1w")))):
        folder = root / f"sub-{subject}" / "ses-a" / "anat"
        folder.mkdir(parents=True)
        for kind in kinds:
            levels = {"levels": T2W_LEVELS} if kind == "T2w" else {}
            write_volume(tissue_phantom(seed=number, **levels), folder / f"sub-{subject}_ses-a_{kind}.nii.gz")
    (root / "dataset_description.json").write_text(json.dumps({"Name": "Heads", "BIDSVersion": "1.8.0"}))
    return root


def images(out):
    return sorted(path.relative_to(out).as_posix() for path in out.glob("sub-*/**/*.nii.gz"))


def sidecar(out, place):
    return json.loads((out / place.replace(".nii.gz", ".json")).read_text(encoding="utf-8"))


def check_accepted(out):
    said = json.loads((out / "dataset_description.json").read_text(encoding="utf-8"))
    assert said["DatasetType"] == "derivative" and said["GeneratedBy"][0]["Name"] == "SurgicalStyleTransfer"
    if (validator := shutil.which("bids-validator-deno")) is None:
        return
    ended = subprocess.run([validator, str(out), "--format", "json"], capture_output=True, text=True, timeout=300)
    issues = json.loads(ended.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []


def test_harmonise(sst, raw, tmp_path):
    like = raw / "sub-01" / "ses-a" / "anat" / "sub-01_ses-a_T1w.nii.gz"
    ended = sst("harmonise", raw, tmp_path / "out", "--like", like, "--progress", "none")
    assert ended.code == 0, ended
    assert "images with the suffix T1w without a contrast agent, as the look is." in ended.err
    made = [f"sub-{subject}/ses-a/anat/sub-{subject}_ses-a_desc-synthetic_T1w.nii.gz" for subject in ("01", "02")]
    assert images(tmp_path / "out") == made
    said = sidecar(tmp_path / "out", made[1])
    assert said["Sources"] == ["bids:raw:sub-02/ses-a/anat/sub-02_ses-a_T1w.nii.gz"] and said["SkullStripped"] is True
    assert said["Synthetic"] is True and "in the look sub-01_ses-a_T1w" in said["Description"]
    check_accepted(tmp_path / "out")


def test_fuse(sst, refused, raw, tmp_path):
    common = ("--register", "none", "--no-quality", "--progress", "none")
    ended = sst("fuse", raw, tmp_path / "out", "--suffix", "T1w", "--suffix", "T2w", *common)
    assert ended.code == 1 and "Its visit has no T2w." in ended.err, ended
    assert images(tmp_path / "out") == ["sub-01/ses-a/anat/sub-01_ses-a_desc-syntheticFused_T1w.nii.gz"]
    said = sidecar(tmp_path / "out", images(tmp_path / "out")[0])
    assert said["Sources"] == [f"bids:raw:sub-01/ses-a/anat/sub-01_ses-a_{kind}.nii.gz" for kind in ("T1w", "T2w")]
    check_accepted(tmp_path / "out")
    again = sst("fuse", raw, tmp_path / "out", "--suffix", "T1w", "--suffix", "T2w", "--subject", "01", *common)
    assert again.code == 0 and "1 of them before" in again.out
    both = sst("fuse", raw, tmp_path / "gd", "--suffix", "T1w", "--suffix", "T1w-Gd", "--subject", "02", *common)
    assert both.code == 0 and len(images(tmp_path / "gd")) == 1, both
    assert "needs two suffixes" in refused("fuse", raw, tmp_path / "no", "--suffix", "T1w")
    assert "there are: 1 T1w, 1 T2w" in refused(
        "fuse", raw, tmp_path / "no", "--suffix", "T1w", "--suffix", "PD", "--subject", "01"
    ).replace("\n", " ")


def test_stylize(sst, raw, tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(picture, isVector=True), str(tmp_path / "my_style.png"))
    small = ("--features", "random", "--steps", "1", "--neighbour-steps", "1", "--size", "32", "--colour", "luminance")
    which = ("--subject", "sub-01", "--suffix", "T2w", "--progress", "none")
    ended = sst("stylize", raw, tmp_path / "out", "--style", tmp_path / "my_style.png", *small, *which)
    assert ended.code == 0, ended
    assert images(tmp_path / "out") == ["sub-01/ses-a/anat/sub-01_ses-a_desc-syntheticmystyle_T2w.nii.gz"]
    assert "my_style" in sidecar(tmp_path / "out", images(tmp_path / "out")[0])["Description"]
    check_accepted(tmp_path / "out")


def test_evaluate_pairs_by_suffix(sst, raw, tiny_model, tmp_path):
    report = tmp_path / "r.json"
    common = ("--model", tiny_model, "--no-cycle", "--no-register", "--progress", "none")
    ended = sst("evaluate", "--source", raw, "--reference", raw, "--report", report, *common)
    assert ended.code == 0, ended
    volumes = {entry["input"].rpartition("/")[2]: entry for entry in json.loads(report.read_text())["volumes"]}
    assert volumes["sub-01_ses-a_T1w.nii.gz"]["reference"].endswith("sub-01_ses-a_T2w.nii.gz")
    assert volumes["sub-02_ses-a_T1w.nii.gz"]["reference"] is None and len(volumes) == 2


def test_options_of_data_sets_need_one(refused, tiny_model, head_volume, tmp_path):
    (tmp_path / "plain").mkdir()
    for name in ("p1.nii.gz", "p2.nii.gz"):
        write_volume(head_volume(), tmp_path / "plain" / name)
    (tmp_path / "s.png").write_bytes(b"no picture")
    plain, out, which = tmp_path / "plain", tmp_path / "out", ("--subject", "01")
    for command in (
        ("stylize", plain, out, "--style", tmp_path / "s.png"),
        ("stylize", plain / "p1.nii.gz", tmp_path / "o.nii.gz", "--style", tmp_path / "s.png"),
        ("fuse", plain, out, "--suffix", "T1w", "--suffix", "T2w"),
        ("fuse", plain / "p1.nii.gz", plain / "p2.nii.gz", tmp_path / "o.nii.gz"),
        ("evaluate", "--model", tiny_model, "--source", plain, "--report", tmp_path / "r.json"),
    ):
        assert "data set, which" in refused(*command, *which).replace("\n", " "), command
    assert not out.exists()
