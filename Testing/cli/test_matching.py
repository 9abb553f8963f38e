"""Which files belong to one patient."""

from pathlib import Path

import pytest

from surgical_style_engine.errors import InputError
from training_cli.matching import find_match, stem, volumes_in


def match(source, *candidates):
    found = find_match(Path(source), [Path(c) for c in candidates])
    return found and found.name


def test_the_other_contrast_of_the_same_study_and_the_patients_mask():
    source = "a/patient04_study1_T1W.nii.gz"
    both = ("b/patient04_study2_T2W.nii.gz", "b/patient04_study1_T2W.nii.gz")
    assert match(source, *both) == "patient04_study1_T2W.nii.gz"
    assert match(source, "b/patient03_brainmask.nii.gz", "b/patient04_brainmask.nii.gz") == "patient04_brainmask.nii.gz"
    assert match("sub-01_ses-02_T1w.nii", "sub-01_ses-01_T2w.nii", "sub-01_ses-02_T2w.nii") == "sub-01_ses-02_T2w.nii"


def test_another_patient_or_study_never_matches():
    assert match("case_001.nii.gz", "case_002.nii.gz") is None
    assert match("patient04_study1_T1W.nii", "patient04_study2_T2W.nii") is None
    assert match("head_p01.nrrd", "head_p02.nrrd") is None


def test_the_same_name_in_another_folder_wins_and_the_file_itself_never():
    assert match("a/anna.nii.gz", "b/anna.nrrd", "b/bert.nrrd") == "anna.nrrd"
    assert match("a/p1_T1.nii", "a/p1_T1.nii") is None
    assert match("a/p1_T1.nii", "a/p1_T1.nii", "a/p1_T2.nii") == "p1_T2.nii"


def test_two_that_fit_are_named():
    with pytest.raises(InputError, match="p1_FLAIR.nii, p1_T2.nii"):
        match("p1_T1.nii", "p1_FLAIR.nii", "p1_T2.nii")


def test_volumes_of_a_folder_by_pattern(tmp_path):
    for name in ("p1_T1.nii.gz", "p1_T2.nii.gz", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in volumes_in(tmp_path, "*_T2*")] == ["p1_T2.nii.gz"]
    assert volumes_in(tmp_path / "p1_T1.nii.gz") == [tmp_path / "p1_T1.nii.gz"]
    with pytest.raises(InputError, match="No input volume matches"):
        volumes_in(tmp_path, "*_CT*")
    with pytest.raises(InputError, match="does not exist"):
        volumes_in(tmp_path / "absent")


def test_a_folder_of_dicom_slices_is_one_volume(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.dcm").write_bytes(b"x")
    assert volumes_in(tmp_path) == [tmp_path]
    assert stem(tmp_path / "a.b.nii.gz") == "a.b"
