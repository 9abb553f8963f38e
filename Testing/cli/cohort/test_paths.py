"""No command writes over what it reads, nor two things into one place."""

import os
from pathlib import Path

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume
from training_cli.cohort.paths import check_outputs


def test_outputs_of_their_own_are_fine(tmp_path):
    (tmp_path / "a.nii").write_text("a")
    (tmp_path / "r.json").write_text("an older report")
    check_outputs([tmp_path / "a.nii", None], [tmp_path / "b.nii", None], tmp_path / "r.json")
    check_outputs([tmp_path / "a.nii"], [tmp_path / "sub" / "a.nii"])


def test_the_same_file_by_other_names_is_found(tmp_path):
    original = tmp_path / "a.nii"
    original.write_text("a")
    (tmp_path / "sub").mkdir()
    os.link(original, tmp_path / "hard.nii")
    (tmp_path / "soft.nii").symlink_to(original)
    for output in (original, tmp_path / "hard.nii", tmp_path / "soft.nii", tmp_path / "sub" / ".." / "a.nii"):
        with pytest.raises(InputError, match="would overwrite its own input"):
            check_outputs([original], [output])
    with pytest.raises(InputError, match="overwrite each other"):
        check_outputs([], [tmp_path / "o.png", tmp_path / "sub" / ".." / "o.png"])


def test_a_large_cohort_is_checked_at_once(tmp_path, monkeypatch):
    """Every path is looked up a few times, not compared with every other one."""
    asked = []
    resolve = Path.resolve
    monkeypatch.setattr(Path, "resolve", lambda self, *more: asked.append(self) or resolve(self, *more))
    check_outputs([tmp_path / f"in{i}.nii" for i in range(300)], [tmp_path / f"out{i}.nii" for i in range(300)])
    assert len(asked) <= 2 * 600


def test_a_headers_voxels_have_a_file_of_their_own(tmp_path):
    (tmp_path / "a.zraw").write_text("voxels")
    with pytest.raises(InputError, match="a.zraw would overwrite its own input"):
        check_outputs([tmp_path / "a.zraw"], [tmp_path / "a.mhd"])


def test_a_report_is_a_json_file(tmp_path):
    (tmp_path / "folder.json").mkdir()
    for name, words in (("r.nii.gz", "ends with .json"), ("r", "ends with .json"), ("folder.json", "a folder")):
        with pytest.raises(InputError, match=words):
            check_outputs([], [], tmp_path / name)
    check_outputs([], [], tmp_path / "R.JSON")


@pytest.fixture
def files(tmp_path, head_volume):
    """A volume, the same elsewhere, a mask and a picture."""
    volume = head_volume()
    write_volume(volume, tmp_path / "a.nrrd")
    write_volume(head_volume(2), tmp_path / "b.nrrd")
    write_volume(volume.with_array((volume.array > 300).astype(np.uint8)), tmp_path / "mask.nrrd")
    array = np.random.default_rng(0).integers(0, 255, (3, 1, 32, 32)).astype(np.uint8)
    write_volume(Volume(array, is_2d=True), tmp_path / "style.png")
    os.link(tmp_path / "a.nrrd", tmp_path / "link.nrrd")
    return tmp_path


def test_every_command_leaves_its_inputs_alone(refused, files, tiny_model):
    a, b, mask, style, link = (files / name for name in ("a.nrrd", "b.nrrd", "mask.nrrd", "style.png", "link.nrrd"))
    out, report, model = files / "out.nrrd", files / "r.json", ("--model", tiny_model)
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    card = (tiny_model / "model.json").read_bytes()
    for arguments in (
        ("translate", a, a, *model),
        ("translate", a, link, *model),
        ("translate", a, mask, *model, "--mask", mask),
        ("translate", a, b, *model, "--match", b),
        ("translate", a, out, *model, "--report", a),
        ("translate", a, out, *model, "--report", out),
        ("translate", a, out, *model, "--report", b),
        ("translate", a, out, *model, "--report", tiny_model / "model.json"),
        ("register", a, b, b),
        ("register", a, b, a),
        ("register", a, b, mask, "--mask", mask),
        ("register", a, b, out, "--report", b),
        ("register", a, b, out, "--overlay", a),
        ("register", a, b, out, "--report", out),
        ("register", a, b, link),
        ("evaluate", *model, "--source", a, "--report", a),
        ("evaluate", *model, "--source", a, "--report", link),
        ("evaluate", *model, "--source", a, "--reference", b, "--report", b),
        ("stylize", a, link, "--style", style),
        ("stylize", a, mask, "--style", style, "--mask", mask),
        ("stylize", a, out, "--style", style, "--report", a),
        ("stylize", a, style, "--style", style),
        ("fuse", a, b, mask, "--mask", mask, "--overwrite"),
        ("fuse", a, b, link, "--overwrite"),
        ("fuse", a, b, out, "--report", b),
        ("fuse", a, b, out, "--picture", style, "--report", style),
    ):
        sentence = refused(*arguments)
        assert any(words in sentence for words in ("overwrite", "ends with .json", "ending .png")), sentence
        assert {path.name: path.read_bytes() for path in files.iterdir()} == before, arguments
    assert (tiny_model / "model.json").read_bytes() == card and not report.exists()


def test_maps_and_a_cohorts_outputs_are_looked_at_file_by_file(refused, head_volume, tiny_model, tmp_path):
    for name in ("p1", "p1_synthetic", "p1_cycle_error"):
        write_volume(head_volume(), tmp_path / f"{name}.nii.gz")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert "p1_synthetic.nii.gz would overwrite" in refused("translate", tmp_path, tmp_path, "--model", tiny_model)
    assert "p1_cycle_error.nii.gz would overwrite" in refused(
        "evaluate", "--model", tiny_model, "--source", tmp_path, "--report", tmp_path / "r.json", "--maps", tmp_path
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_demo_does_not_write_over_its_reference(refused, head_volume, tiny_model, tmp_path):
    write_volume(head_volume(), tmp_path / "head.nii.gz")
    earlier = tmp_path / "head_T2w_synthetic.nii.gz"
    write_volume(head_volume(2), earlier)
    arguments = ("demo", tmp_path / "head.nii.gz", "--output", tmp_path, "--reference", earlier, "--model", tiny_model)
    assert "would overwrite" in refused(*arguments)
    assert np.array_equal(read_volume(earlier).array, head_volume(2).array)


def test_a_page_does_not_take_its_reports_place(refused, tmp_path):
    (tmp_path / "r.html").write_text("{}")
    assert "would overwrite its own input" in refused("report", tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == "{}"
