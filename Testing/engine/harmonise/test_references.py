"""Which scans a reference has."""

import os

import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.harmonise.references import references_below


def test_the_volumes_of_a_tree_and_none_of_what_a_run_has_made(tmp_path):
    names = ("b.nii.gz", "a/x.nrrd", "series/1.dcm", "series/2.dcm", ".hidden/y.nrrd", "out/z.nrrd", "notes.txt")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "out" / "manifest.csv").write_text("volume,state,seconds\n")
    if os.name != "nt":  # where links need a right of their own
        (tmp_path / "a" / "loop").symlink_to(tmp_path)
    listed = [path.relative_to(tmp_path).as_posix() for path in references_below(tmp_path)]
    assert listed == ["b.nii.gz", "a/x.nrrd", "series"]
    assert references_below(tmp_path / "out") == [tmp_path / "out" / "z.nrrd"], "named itself, it is meant"
    assert references_below(tmp_path / "b.nii.gz") == [tmp_path / "b.nii.gz"]
    assert references_below(tmp_path / "series") == [tmp_path / "series"]


def test_what_holds_no_reference_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="holds no reference volume"):
        references_below(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        references_below(tmp_path / "nowhere")
    for name in ("1.dcm", "a.nii.gz"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match="holds DICOM files beside other volumes"):
        references_below(tmp_path)
