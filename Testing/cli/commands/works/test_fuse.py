"""`sst fuse` over folders of the modalities of several patients."""

import json

import numpy as np
import pytest

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from training_cli.cohort.run.manifest import read_manifest


@pytest.fixture
def modalities(tmp_path, head_volume):
    for patient in ("p1", "p2", "p3"):
        for number, kind in enumerate(("T1", "T2")):
            if (patient, kind) != ("p3", "T2"):
                folder = tmp_path / kind / "site"
                folder.mkdir(parents=True, exist_ok=True)
                write_volume(head_volume(number), folder / f"{patient}_{kind}.nii.gz")
    return tmp_path / "T1", tmp_path / "T2"


def test_a_cohort_is_fused_by_names(sst, modalities, tmp_path):
    out, report = tmp_path / "out", tmp_path / "r.json"
    arguments = ("fuse", *modalities, out, "--report", report, "--register", "none", "--progress", "none")
    ended = sst(*arguments)
    assert ended.code == 1 and f"sst: p3_T1.nii.gz: Nothing in {modalities[1]} goes with it." in ended.err
    assert ended.err.endswith("sst: 1 of 3 volumes could not be fused.\n")
    rows = read_manifest(out / "manifest.csv")[1]
    assert [(row.volume, row.state) for row in rows] == [(f"site/p{n}_T1.nii.gz", "done") for n in (1, 2)]
    assert 0 < rows[0].number("q_abf") <= 1
    said = json.loads(report.read_text())
    assert [len(entry["others"]) for entry in said["volumes"]] == [1, 1]
    single = tmp_path / "one.nii.gz"
    pair = [folder / "site" / f"p1_{folder.name}.nii.gz" for folder in modalities]
    assert sst("fuse", *pair, single, "--register", "none").code == 0
    fused = read_volume(out / "site" / "p1_T1_synthetic.nii.gz")
    assert np.array_equal(fused.array, read_volume(single).array)
    again = sst(*arguments)
    assert again.code == 1 and "2 of 2 volumes fused, 2 of them before" in again.out


def test_what_belongs_to_one_patient_is_refused(refused, modalities, tmp_path):
    words = refused("fuse", *modalities, tmp_path / "out", "--picture", tmp_path / "p.png")
    assert words == "--transforms and --picture are for one patient, not for a cohort."
    assert "at least two folders" in refused("fuse", modalities[0], tmp_path / "out")
    assert not (tmp_path / "out").exists()
