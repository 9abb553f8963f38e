"""Names by the rule of BIDS, and what models translate in its words."""

import pytest

from training_cli.cohort.bids.names import has_agent, parse, suffix_of, synthetic_name


@pytest.mark.parametrize(
    ("name", "suffix", "target", "agent", "after"),
    [
        ("sub-01_T1w.nii.gz", "T2w", "T2w", False, "sub-01_desc-synthetic_T2w.nii.gz"),
        (
            "sub-01_ses-2_acq-mprage_run-1_T1w.nii",
            "T2w",
            "T2w",
            False,
            "sub-01_ses-2_acq-mprage_run-1_desc-synthetic_T2w.nii.gz",
        ),
        ("sub-01_ce-gadolinium_T1w.nii.gz", "T2w", "T2w", False, "sub-01_desc-synthetic_T2w.nii.gz"),
        ("sub-01_T1w.nii.gz", "T1w", "T1w-Gd", True, "sub-01_ce-gadolinium_desc-synthetic_T1w.nii.gz"),
        ("sub-01_desc-preproc_T1w.nii.gz", "", "CT (soft)", None, "sub-01_desc-syntheticCTsoft_T1w.nii.gz"),
        ("sub-01_xyz-1_T1w.nii.gz", "FLAIR", "FLAIR", False, "sub-01_xyz-1_desc-synthetic_FLAIR.nii.gz"),
    ],
)
def test_the_translations_name(name, suffix, target, agent, after):
    assert str(synthetic_name(parse(name), suffix, target, agent)) == after


@pytest.mark.parametrize(
    "name", ["T1w.nii.gz", "p1_T1w.nii.gz", "sub-01_T1w_extra-.nii", "ses-1_T1w.nii", "sub-0_1_T1w.nii"]
)
def test_other_names_are_none(name):
    assert parse(name) is None


def test_what_models_translate():
    assert [suffix_of(name, "MR") for name in ("T1w", "T1w-Gd", "T2w", "FLAIR", "Strange")] == [
        "T1w",
        "T1w",
        "T2w",
        "FLAIR",
        "",
    ]
    assert suffix_of("CT", "CT", "HU") == ""
    assert (has_agent("T1w", "MR"), has_agent("T1w-Gd", "MR"), has_agent("CT", "CT", "HU")) == (False, True, None)
