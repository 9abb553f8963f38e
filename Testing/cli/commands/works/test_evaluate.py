"""`sst evaluate` over a folder, again: figures of the whole set without judging anything twice."""

import pytest

from surgical_style_engine.app.report import read_report
from surgical_style_engine.imageio.write import write_volume
from training_cli.cohort.run.manifest import read_manifest


def test_a_second_evaluation_judges_only_what_is_new(sst, head_volume, tiny_model, tmp_path):
    source, reference, report = tmp_path / "t1", tmp_path / "t2", tmp_path / "figures.json"
    for number in range(3):
        for folder, kind in ((source, "T1"), (reference, "T2")):
            (folder / f"s{number}").mkdir(parents=True)
            write_volume(head_volume(number + 3 * (kind == "T2")), folder / f"s{number}" / f"p{number}_{kind}.nrrd")
    last = (source / "s2" / "p2_T1.nrrd").read_bytes()
    (source / "s2" / "p2_T1.nrrd").write_bytes(last[:200])
    arguments = ("evaluate", "--model", tiny_model, "--source", source, "--reference", reference, "--report", report)
    arguments += ("--no-cycle", "--device", "cpu", "--progress", "none")

    first = sst(*arguments)
    assert first.code == 1 and first.err.endswith("sst: 1 of 3 volumes could not be evaluated.\n"), first
    found = read_report(report)
    assert len(found["volumes"]) == 2 and found["failed"][0]["input"].endswith("p2_T1.nrrd")
    (source / "s2" / "p2_T1.nrrd").write_bytes(last)
    second = sst(*arguments)
    assert second.code == 0 and "3 of 3 volumes evaluated, 2 of them before" in second.out, second
    rows = read_manifest(tmp_path / "figures_volumes" / "manifest.csv")[1]
    assert [row.state for row in rows] == ["done"] * 3 and all(row.number("psnr") > 0 for row in rows)
    of_parts = read_report(report)["quality"]
    assert sst(*arguments, "--overwrite").code == 0
    at_once = read_report(report)["quality"]
    assert of_parts["kid"] == at_once["kid"] and of_parts["kid"]["translated_slices"] > 20
    assert of_parts["reference"]["psnr"] == pytest.approx(at_once["reference"]["psnr"], rel=1e-12)
