"""`sst adapt`: the same adaptation, its figures, and its refusals with a sentence and an exit code."""

import json

import SimpleITK as sitk
from adapting import STEPS, head_pair

from training_cli.adapt import settings


def test_adapted_then_refused_where_nothing_was_learned(base, quick, sst, refused, tmp_path, monkeypatch):
    paths = []
    for side, volume in zip(("T1", "T2"), head_pair(), strict=True):
        paths.append(tmp_path / f"Doe_{side}.nii.gz")
        sitk.WriteImage(volume.to_sitk(), str(paths[-1]))
    asked = ["adapt", base.folder, "--source", paths[0], "--target", paths[1], "--folder", tmp_path / "mine"]
    asked += ["--device", "cpu", "--progress", "none"]
    ended = sst(*asked, "--out", "mine", "--steps", STEPS, "--report", tmp_path / "report.json")
    assert ended.code == 0, ended
    assert "forward: PSNR" in ended.out and f"{STEPS} steps: {tmp_path / 'mine' / 'mine'}" in ended.out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["name"] == "mine" and report["adapted"]["aside"]["forward"]["same_patient"] is True
    assert "Doe" not in json.dumps(report["adapted"])
    assert "There is a style mine" in refused(*asked, "--out", "mine", "--steps", 1)
    assert "must end with .json" in refused(*asked, "--out", "other", "--report", tmp_path / "report.txt")
    monkeypatch.setitem(settings._SMALL, "learning_rate", 1e-9)
    sentence = refused(*asked, "--out", "other", "--steps", 1, code=1)
    assert "is not better than base" in sentence and sentence.endswith("nothing was saved.")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["mine"]
