"""Which files belong to one patient."""

from pathlib import Path

import pytest

from surgical_style_engine.app.inputs import left_out
from surgical_style_engine.errors import InputError
from training_cli.cohort.matching import Candidates, find_match, fitting, match_all, stem, told_match, volumes_in


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


def test_neither_patient_numbers_nor_names_are_taken_for_modalities():
    for source, other in (
        ("BraTS2021_00001", "BraTS2021_00002"),
        ("BraTS2021_00001", "BraTS2021_00002_seg"),
        ("site1_001", "site1_002"),
        ("t1_anna", "t1_bert"),
        ("2024-01-05_mueller", "2024-01-05_schmidt"),
        ("site1_001_T1", "site1_mask"),
        ("site_s1_T1", "site_mask"),
        ("p1_T1", "p1_anna"),
        ("sub-01_T1w", "sub-02_T1w"),
        ("T1", "T2"),
        ("T1_mask", "T1"),
        ("p1_2024_T1", "p1_mask"),
        ("case_T1", "case_T3"),
        ("p1_ses-02_T1w", "p1_ses-01_mask"),
    ):
        for a, b in ((source, other), (other, source)):
            assert match(f"a/{a}.nii.gz", f"b/{b}.nii.gz") is None, (a, b)
    for source, other in (
        ("p1_T1", "p1_FLAIR"),
        ("p1", "p1_mask"),
        ("anna_T1", "anna_T2"),
        ("p1_T1", "p1_T1_mask"),
        ("BraTS2021_00001_t1ce", "BraTS2021_00001_seg"),
        ("sub-01_ses-02_T1w", "sub-01_mask"),
        ("2024-01-05_mueller_CT", "2024-01-05_mueller_MR"),
        ("patient07_T1POST", "patient07_lesions"),
    ):
        assert match(f"a/{source}.nii.gz", f"b/{other}.nii.gz") == f"{other}.nii.gz", (source, other)


def test_names_of_bids_and_of_nnunet():
    for source, other in (
        ("sub-01_acq-mprage_T1w", "sub-01_T2w"),
        ("sub-01_T2w", "sub-01_acq-mprage_T1w"),
        ("sub-01_T1w", "sub-01_dseg"),
        ("sub-01_rec-norm_run-1_T1w", "sub-01_mask"),
        ("sub-01_T1w", "sub-01_space-T1w_desc-brain_mask"),
        ("sub-01_T1w", "sub-01_T2starw"),
        ("sub-01_ses-2_T1w", "sub-01_ses-2_UNIT1"),
        ("patient01_CT", "patient01_gtv"),
        ("patient01_CT", "patient01_tumor"),
        ("case_001_0000", "case_001"),
        ("p1_T1_reg", "p1_mask"),
    ):
        assert match(f"a/{source}.nii.gz", f"b/{other}.nii.gz") == f"{other}.nii.gz", (source, other)
    for source, other in (
        ("case_001_0000", "case_002"),
        ("case_001_0000", "case_002_0000"),
        ("site1_0001", "site1_0002"),
        ("site1_0001", "site1"),
        ("study_0001", "study"),
        ("sub-01_acq-mprage_T1w", "sub-02_T2w"),
        ("sub-01_acq-a_T1w", "sub-01_acq-a_ses-2_T2w"),
        ("patient01_T1_pre", "patient01_T1_post"),
    ):
        assert match(f"a/{source}.nii.gz", f"b/{other}.nii.gz") is None, (source, other)
    images = [Path(f"im/case_{case}_{channel}.nii.gz") for case in ("001", "002") for channel in ("0000", "0001")]
    labels = [Path(f"lab/case_{case}.nii.gz") for case in ("002", "001")]
    assert [found.name for found in match_all(images, labels, "mask")] == ["case_001.nii.gz"] * 2 + [
        "case_002.nii.gz"
    ] * 2


def test_an_image_is_no_mask_and_a_mask_no_reference():
    image, mask = Path("b/p1_T2.nii"), Path("b/p1_mask.nii")
    source = Path("a/p1_T1.nii")
    assert find_match(source, [image], "mask") is None and find_match(source, [mask], "reference") is None
    assert find_match(source, [image, mask], "mask") == mask and find_match(source, [image, mask], "reference") == image


def test_no_candidate_serves_what_may_be_two_patients():
    mask = Path("m/patient04_brainmask.nii")
    sources = [Path(f"a/patient04_{name}.nii") for name in ("study1_T1W", "study1_FLAIR", "ses-02_T1W")]
    assert match_all(sources, [mask], "mask") == [mask] * 3
    sources = [Path(f"a/site1_{name}_T1W.nii") for name in ("s1", "s2")]
    with pytest.raises(InputError, match="site1_mask.nii fits site1_s1_T1W.nii as well as site1_s2_T1W.nii; give each"):
        match_all(sources, [Path("m/site1_mask.nii")], "mask")


def test_what_has_the_name_of_one_source_goes_with_no_other():
    sources = [Path(f"a/site1_{initials}.nii") for initials in ("MR", "CR")]
    assert match_all(sources, [Path("b/site1_CR.nii")], "reference") == [None, Path("b/site1_CR.nii")]
    both = [Path("a/p1_T1.nii"), Path("a/p1_T2.nii")]
    assert match_all(both, both, "reference") == both[::-1], "of one folder that holds both"


def test_what_was_not_paired_by_equal_names_is_told():
    source = Path("a/p1_T1.nii")
    assert told_match(source, Path("b/p1_T1.nrrd"), "mask") == told_match(source, None, "mask") == []
    (sentence,) = told_match(source, Path("b/p1_mask.nii"), "mask")
    assert sentence == "By its name, the mask p1_mask.nii was taken to belong to p1_T1.nii."


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


def slices(folder: Path, count: int, modality: str = "MR", one_series: bool = True) -> None:
    """DICOM files of 8 x 8 pixels, 2 mm apart."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid()
    for number in range(count):
        made = pydicom.Dataset()
        made.file_meta = pydicom.dataset.FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", generate_uid()
        made.StudyInstanceUID = series
        made.SeriesInstanceUID = series if one_series else generate_uid()
        made.Modality, made.InstanceNumber = modality, number + 1
        made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, 2 * number], [1, 0, 0, 0, 1, 0]
        made.PixelSpacing, made.Rows, made.Columns, made.SamplesPerPixel = [1, 1], 8, 8, 1
        made.PhotometricInterpretation, made.BitsAllocated, made.BitsStored, made.HighBit = "MONOCHROME2", 16, 16, 15
        made.PixelRepresentation, made.PixelData = 0, bytes(range(128))
        made.save_as(folder / f"i{number}.dcm", enforce_file_format=True)


def test_a_picture_beside_a_series_does_not_make_volumes_of_its_slices(tmp_path):
    slices(tmp_path / "series", 4)
    assert left_out(tmp_path / "series") == []
    (tmp_path / "series" / "preview.png").write_bytes(b"x")
    assert volumes_in(tmp_path / "series") == [tmp_path / "series"]
    assert left_out(tmp_path / "series") == ["Beside the DICOM series, series holds preview.png, which was left out."]
    (tmp_path / "series" / "p1.nii.gz").write_bytes(b"x")
    with pytest.raises(InputError, match=r"holds a DICOM series beside other volumes \(p1.nii.gz\)"):
        volumes_in(tmp_path / "series")
    assert volumes_in(tmp_path / "series", "*.nii.gz") == [tmp_path / "series" / "p1.nii.gz"]
    assert volumes_in(tmp_path / "series", "*.dcm") == [tmp_path / "series"]


def test_single_images_of_several_kinds_are_a_cohort(tmp_path):
    slices(tmp_path, 2, "CR", one_series=False)
    (tmp_path / "p3.png").write_bytes(b"x")
    assert [path.name for path in volumes_in(tmp_path)] == ["i0.dcm", "i1.dcm", "p3.png"]


NAMES = """
p1 p1_T1 p1_T2 p1_mask p1_ses-2_mask p10_mask mask p1_acq-x_mask a_1_mask a_1_0000 a_2_0000 patient04_study1_T1W
patient04_brainmask patient04_study2_T2W acq-x ___ p1__T1
""".split()


def test_candidates_near_a_name_hold_all_that_fit_in_their_order():
    paths = [Path(f"/d/{name}.nii.gz") for name in NAMES]
    for what in ("mask", ""):
        for source in paths:
            assert fitting(source, Candidates(paths).near(source), what) == fitting(source, paths, what)


def test_thousands_are_not_compared_with_thousands():
    sources = [Path(f"/d/patient_{number}_T1.nii.gz") for number in range(3000)]
    masks = Candidates(Path(f"/d/patient_{number}_mask.nii.gz") for number in range(3000))
    assert sum(len(masks.near(source)) for source in sources) == 3000
