"""Words that name a kind of image, and words that only look like it."""

import pytest

from surgical_style_engine.volumes.recognise import kinds


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("p1_T1.nii.gz", "T1w"),
        ("sub-03_ses-1_T1w.nii.gz", "T1w"),
        ("sub-03_ce-gadolinium_T1w.nii.gz", "T1w-Gd"),
        ("t1_mprage_sag_p2_iso", "T1w"),
        ("T1 pre-contrast", "T1w"),
        ("Ax T1 +C", "T1w-Gd"),
        ("T1 POST GAD", "T1w-Gd"),
        ("TCIA01_201_1_T1C", "T1w-Gd"),
        ("patient1_t1ce", "T1w-Gd"),
        ("T1 post-op", "T1w"),
        ("MRBrainT2", "T2w"),
        ("t2_tse_tra", "T2w"),
        ("AX T2 FLAIR FS", "FLAIR"),
        ("t2_tirm_dark-fluid", "FLAIR"),
        ("head_DWI_b1000", "other"),
        ("t2*_gre", "other"),
        ("ax pd", "other"),
        ("CTBrain", "CT"),
        ("contact_sheet", ""),
        ("act1_t2x", ""),
        ("p1_T1w_T2w", ""),
        ("MRHead", ""),
        ("", ""),
    ],
)
def test_names(text, kind):
    assert kinds.kind_of_words(text) == kind


@pytest.mark.parametrize(
    ("name", "modality", "units", "kind"),
    [
        ("T1w", "MR", "", "T1w"),
        ("T1w-Gd", "MR", "", "T1w-Gd"),
        ("T1-weighted, with gadolinium", "MR", "", "T1w-Gd"),
        ("T2-weighted", "", "", "T2w"),
        ("soft kernel", "CT", "HU", "CT"),
        ("anything", "", "HU", "CT"),
        ("portable", "CR", "", "radiograph"),
        ("CT", "MR", "", ""),
        ("scanner B", "MR", "", ""),
        ("The Scream", "", "", ""),
    ],
)
def test_domains(name, modality, units, kind):
    assert kinds.kind_of_domain(name, modality, units) == kind


def test_every_kind_has_its_modality_and_t1w_its_family():
    assert [kinds.modality_of(kind) for kind in kinds.KINDS] == ["MR", "MR", "MR", "MR", "CT", "DX", "", "MR"]
    assert kinds.kind_of_modality(" dx ") == "radiograph" and kinds.kind_of_modality("MR") == ""
    assert kinds.same_family("T1w", "T1w-Gd") and not kinds.same_family("T1w", "T2w")


def test_synthetic_is_a_word_of_its_own():
    assert kinds.says_synthetic("p1_T2_synthetic.nii.gz") and not kinds.says_synthetic("photosynthesis.png")
