"""`sst translate` over a folder tree, again and again."""

import json

import numpy as np

from surgical_style_engine.app.report import read_report
from surgical_style_engine.imageio.write import write_volume
from training_cli.cohort.run.manifest import read_manifest


def manifest(out):
    return {row.volume: row for row in read_manifest(out / "manifest.csv")[1]}


def test_a_tree_again_and_again(sst, head_volume, tiny_model, tmp_path):
    scans, out, report = tmp_path / "in", tmp_path / "out", tmp_path / "r.json"
    for number, place in enumerate(("a_T1", "s1/a_T1", "s1/deep/b_T1")):
        (scans / place).parent.mkdir(parents=True, exist_ok=True)
        write_volume(head_volume(number), scans / f"{place}.nrrd")
    hounsfield = head_volume(5)
    write_volume(hounsfield.with_array((hounsfield.array * 2.0 - 1000).astype(np.int16)), scans / "s1" / "ct.nrrd")
    common = ("translate", scans, out, "--model", tiny_model, "--device", "cpu", "--progress", "none")

    first = sst(*common, "--report", report)
    assert first.code == 1 and first.err.endswith("sst: 1 of 4 volumes could not be translated.\n"), first
    rows = manifest(out)
    assert {name: row.state for name, row in rows.items()} == {
        "a_T1.nrrd": "done",
        "s1/a_T1.nrrd": "done",
        "s1/ct.nrrd": "misfit",
        "s1/deep/b_T1.nrrd": "done",
    }
    row = rows["s1/deep/b_T1.nrrd"]
    assert row.outputs == "s1/deep/b_T1_synthetic.nrrd" and (out / row.outputs).stat().st_size == int(row.bytes)
    assert 0 < row.number("semantic_consistency") <= 1 and row.verdict == "none" and len(row.input_sha256) == 64
    assert "s1/deep/b_T1.nrrd" in (out / "summary.html").read_text()
    assert (out / "summary" / "s1" / "deep" / "b_T1.nrrd.png").read_bytes()[1:4] == b"PNG"

    second = sst(*common, "--report", report)
    assert second.code == 1 and "sst: s1/ct.nrrd: ct.nrrd is CT by its voxels" in second.err
    assert "3 of 4 volumes translated, 3 of them before" in second.out and manifest(out) == rows
    assert [entry["input"] for entry in read_report(report)["volumes"]] == [
        str(scans / name) for name in rows if name != "s1/ct.nrrd"
    ]
    (scans / "s1" / "ct.nrrd").unlink()
    changed = sst(*common, "--strength", "0.5", "--pattern", "b*")
    assert changed.code == 0 and "1 of 1 volumes translated\n" in changed.out
    assert json.loads((out / "summary" / "s1" / "deep" / "b_T1.nrrd.json").read_text())["strength"] == 0.5
    assert manifest(out)["a_T1.nrrd"] == rows["a_T1.nrrd"]  # it was not asked for

    page = sst("report", out)
    assert page.code == 0 and "made from manifest.csv" in page.out
