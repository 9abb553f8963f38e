"""Volumes of a folder tree, and what belongs to them in another one."""

import os

import pytest

from surgical_style_engine.errors import InputError
from training_cli.cohort.run.manifest import Manifest
from training_cli.cohort.tree import match_below, volumes_below


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return paths[0]


def series(folder):
    for number in range(2):
        touch(folder / f"{number}.dcm")


def places(root, *arguments, **options):
    tree = volumes_below(root, *arguments, **options)
    return [tree.place(path).as_posix() for path in tree.volumes]


def test_volumes_of_any_depth(tmp_path):
    touch(
        tmp_path / "a.nii.gz",
        tmp_path / "s1" / "b.nrrd",
        tmp_path / "s1" / "x" / "y" / "c.mha",
        tmp_path / "s1" / "n.txt",
    )
    series(tmp_path / "s2" / "mr")
    touch(tmp_path / "s2" / "mr" / "within" / "d.nii.gz")  # belongs to the series
    touch(tmp_path / ".hidden" / "e.nii.gz", tmp_path / "out" / "f.nii.gz")
    assert places(tmp_path, leave_out=[tmp_path / "out"]) == ["a.nii.gz", "s1/b.nrrd", "s1/x/y/c.mha", "s2/mr"]
    assert places(tmp_path, "*.mha") == ["s1/x/y/c.mha"] and places(tmp_path, "mr") == ["s2/mr"]
    assert places(tmp_path / "s2" / "mr") == ["mr"] and places(tmp_path / "a.nii.gz") == ["a.nii.gz"]
    with pytest.raises(InputError, match="No input volume matches"):
        volumes_below(tmp_path, "z*")


def test_results_of_another_run_are_no_inputs(tmp_path):
    touch(tmp_path / "a.nii.gz", tmp_path / "out" / "a_synthetic.nii.gz")
    Manifest(tmp_path / "out").begin([], [])
    assert places(tmp_path) == ["a.nii.gz"] and places(tmp_path / "out") == ["a_synthetic.nii.gz"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_that_lead_back_are_followed_once(tmp_path):
    touch(tmp_path / "in" / "a" / "x.nii.gz")
    (tmp_path / "in" / "a" / "back").symlink_to(tmp_path / "in")
    assert places(tmp_path / "in") == ["a/x.nii.gz"]


def test_a_folder_that_is_unclear_is_a_problem_of_its_own(tmp_path, monkeypatch):
    touch(tmp_path / "a.nii.gz", tmp_path / "s" / "b.nii.gz")
    series(tmp_path / "s")
    monkeypatch.setattr("training_cli.cohort.matching._has_series", lambda folder: True)
    tree = volumes_below(tmp_path)
    assert [path.name for path in tree.volumes] == ["a.nii.gz"]
    ((folder, reason),) = tree.problems
    assert folder == tmp_path / "s" and "DICOM series beside other volumes" in reason


def test_masks_lie_in_the_same_folders(tmp_path):
    touch(*(tmp_path / "in" / p / "t1.nii.gz" for p in ("p1", "p2")))
    touch(*(tmp_path / "masks" / p / "t1_mask.nii.gz" for p in ("p1", "p2")))
    found = match_below(volumes_below(tmp_path / "in"), tmp_path / "masks", "mask")
    assert [path.parent.name for path in found] == ["p1", "p2"]
    (tmp_path / "masks" / "p2" / "t1_mask.nii.gz").unlink()
    assert match_below(volumes_below(tmp_path / "in"), tmp_path / "masks", "mask")[1] is None


def test_one_flat_mask_never_serves_volumes_of_one_name(tmp_path):
    touch(*(tmp_path / "in" / p / "t1.nii.gz" for p in ("p1", "p2")))
    touch(tmp_path / "masks" / "t1.nii.gz")
    with pytest.raises(InputError, match="the masks need the same folders"):
        match_below(volumes_below(tmp_path / "in"), tmp_path / "masks", "mask")
