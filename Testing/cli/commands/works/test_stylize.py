"""`sst stylize` over a folder of volumes."""

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from training_cli.cohort.run.manifest import read_manifest


def test_a_cohort_in_the_style_of_a_picture(sst, head_volume, tmp_path):
    painted = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(painted, isVector=True), tmp_path / "style.png")
    for number in range(2):
        path = tmp_path / "in" / f"s{number}" / "t1.nrrd"
        path.parent.mkdir(parents=True)
        write_volume(head_volume(number, (5, 40, 44)), path)
    (tmp_path / "in" / "bad.nrrd").write_bytes(b"nothing of the kind")
    common = ("--style", tmp_path / "style.png", "--features", "random", "--steps", "2", "--neighbour-steps", "1")
    common += ("--size", "32", "--colour", "luminance", "--progress", "none")
    out = tmp_path / "out"
    ended = sst("stylize", tmp_path / "in", out, *common)
    assert ended.code == 1 and ended.err.endswith("sst: 1 of 3 volumes could not be stylised.\n")
    rows = read_manifest(out / "manifest.csv")[1]
    assert [row.state for row in rows] == ["failed", "done", "done"] and rows[1].number("semantic_consistency")
    assert read_volume(out / "s1" / "t1_synthetic.nrrd").metadata["Synthetic"] == "yes"
    (tmp_path / "in" / "bad.nrrd").unlink()
    again = sst("stylize", tmp_path / "in", out, *common)
    assert again.code == 0 and "2 of 2 volumes stylised, 2 of them before" in again.out
    sitk.WriteImage(sitk.GetImageFromArray(painted[::-1].copy(), isVector=True), tmp_path / "style.png")
    assert sst("stylize", tmp_path / "in", out, *common).out.count("slices in") == 2  # another picture of that name
