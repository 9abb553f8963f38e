"""Which folders are BIDS, and which of their images are asked for."""

import json

import pytest

from surgical_style_engine.errors import InputError
from training_cli.cohort.bids.dataset import Selection, open_dataset

FILES = (
    "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz",
    "sub-01/ses-a/anat/sub-01_ses-a_ce-gadolinium_T1w.nii.gz",
    "sub-01/ses-b/anat/sub-01_ses-b_T1w.nii.gz",
    "sub-02/anat/sub-02_T1w.nii.gz",
    "sub-02/anat/sub-02_T2w.nii.gz",
    "sub-02/anat/sub-02_T1w.json",
    "sub-02/anat/sub-03_T1w.nii.gz",  # in another's folder
    "sub-02/func/sub-02_task-rest_bold.nii.gz",
    "derivatives/x/sub-01/anat/sub-01_desc-x_T1w.nii.gz",
    "sourcedata/sub-01/anat/sub-01_T1w.nii.gz",
)


@pytest.fixture
def root(tmp_path):
    for name in FILES:
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "set" / "dataset_description.json").write_text(json.dumps({"Name": "Heads"}))
    return tmp_path / "set"


def names(dataset, suffix, agent=None, **selection):
    return [str(image.path.relative_to(dataset.root)) for image in dataset.of(suffix, agent, Selection(**selection))]


def test_the_root_a_subject_a_session_and_a_folder_of_anatomy(root):
    for folder, count in (("", 5), ("sub-01", 3), ("sub-01/ses-a", 2), ("sub-01/ses-a/anat", 2), ("sub-02/anat", 2)):
        dataset = open_dataset(root / folder)
        assert dataset.root.resolve() == root.resolve() and len(dataset.images) == count, folder
    assert open_dataset(root / "sub-02" / "anat").description() == {"Name": "Heads"}


def test_without_a_description_by_its_folders(root, tmp_path):
    (root / "dataset_description.json").unlink()
    assert len(open_dataset(root).images) == 5 and open_dataset(root).description() == {}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "p1_T1w.nii.gz").write_bytes(b"")
    assert open_dataset(tmp_path / "other") is None and open_dataset(tmp_path) is None


def test_what_is_asked_for(root):
    dataset = open_dataset(root)
    assert names(dataset, "T1w", False) == [FILES[0], FILES[2], FILES[3]]
    assert names(dataset, "T1w", True) == [FILES[1]] and len(names(dataset, "T1w")) == 4
    assert names(dataset, "T1w", False, subjects=["sub-01"], sessions=["b"]) == [FILES[2]]
    assert names(dataset, "T1w", False, subjects=["01", "02"]) == [FILES[0], FILES[2], FILES[3]]
    with pytest.raises(InputError, match=r"suffix FLAIR .* there are: 4 T1w, 1 T2w\."):
        dataset.of("FLAIR", None, Selection())
    with pytest.raises(InputError, match="there are: none"):
        dataset.of("T1w", None, Selection(subjects=["99"]))
