"""`sst harmonise` as a shell runs it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from tissue_phantom import T1W_LEVELS, tissue_phantom

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume

T2W_LEVELS = {"CSF": 900.0, "grey": 500.0, "white": 380.0, "scalp": 500.0, "bone": 30.0}
OTHER = {"CSF": 130.0, "grey": 250.0, "white": 330.0, "scalp": 400.0, "bone": 10.0}


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A reference of one scan; a cohort of a head, a CT, a scan of another contrast, and a brain in its own folder."""
    folder = tmp_path_factory.mktemp("scans")
    (folder / "site").mkdir()
    (folder / "cohort" / "deep").mkdir(parents=True)
    write_volume(tissue_phantom(OTHER), folder / "site" / "r_T1w.nii.gz")
    write_volume(tissue_phantom(whole=True), folder / "cohort" / "a_T1w.nii.gz")
    write_volume(tissue_phantom(seed=1), folder / "cohort" / "deep" / "b_T1w.nii.gz")
    ct = tissue_phantom().array - 1000
    write_volume(tissue_phantom().with_array(ct), folder / "cohort" / "c_CT.nii.gz")
    write_volume(tissue_phantom(T2W_LEVELS), folder / "cohort" / "d_T2w.nii.gz")
    return folder


def white_of(path) -> float:
    plain = tissue_phantom(noise=0).array[0]
    return float(np.median(read_volume(path).array[0][plain == T1W_LEVELS["white"]]))


def test_a_cohort_takes_the_look_of_a_folder_and_a_second_call_does_nothing_again(scans, sst, tmp_path):
    look = tmp_path / "site.look.json"
    arguments = ("harmonise", scans / "cohort", tmp_path / "out")
    ended = sst(*arguments, "--like", scans / "site", "--save-look", look, "--report", tmp_path / "r.json")
    assert ended.code == 1 and "c_CT.nii.gz" in ended.err and "Hounsfield units" in ended.err
    results = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*_T1w*.nii.gz"))
    assert [path.parent.name for path in results] == ["", "deep"]
    for path in results:
        assert white_of(tmp_path / "out" / path) == pytest.approx(OTHER["white"], rel=0.08)
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["look"]["kind"] == "T1w" and report["synthetic"] and len(report["failed"]) == 2
    before = {path: (tmp_path / "out" / path).stat().st_mtime_ns for path in results}
    again = sst(*arguments, "--like", look)
    assert "2 of them before" in again.out
    assert before == {path: (tmp_path / "out" / path).stat().st_mtime_ns for path in results}
    with next((tmp_path / "out").rglob("manifest.csv")).open() as file:
        states = {row["volume"]: row["state"] for row in csv.DictReader(file)}
    names = ("a_T1w.nii.gz", "c_CT.nii.gz", "d_T2w.nii.gz", "deep/b_T1w.nii.gz")
    assert states == dict(zip(names, ("done", "misfit", "misfit", "done"), strict=True))


def test_one_scan_is_marked_and_keeps_its_grid(scans, sst, tmp_path):
    source = scans / "cohort" / "deep" / "b_T1w.nii.gz"
    ended = sst("harmonise", source, tmp_path / "out.nrrd", "--like", scans / "site" / "r_T1w.nii.gz")
    assert ended.code == 0 and "in the look of r_T1w (synthetic)" in ended.out
    result = read_volume(tmp_path / "out.nrrd")
    assert result.same_grid(read_volume(source)) and result.metadata["Synthetic"] == "yes"


def test_what_cannot_be_is_one_sentence_and_nothing_is_written(scans, refused, tmp_path):
    scan, site, out = scans / "cohort" / "a_T1w.nii.gz", scans / "site", tmp_path / "out.nii.gz"
    assert "ends in .look.json" in refused("harmonise", scan, out, "--like", site, "--save-look", tmp_path / "x.json")
    (tmp_path / "bad.look.json").write_text("{}")
    assert "no look that sst harmonise saved" in refused("harmonise", scan, out, "--like", tmp_path / "bad.look.json")
    assert "no-such-model" in refused("harmonise", scan, out, "--like", "no-such-model")
    assert "is CT" in refused("harmonise", scan, out, "--like", scans / "cohort" / "c_CT.nii.gz")
    assert "is CT" in refused("harmonise", scans / "cohort" / "c_CT.nii.gz", out, "--like", site)
    assert not out.exists()
