"""Images of one visit."""

from pathlib import Path

import pytest

from surgical_style_engine.errors import InputError
from training_cli.cohort.bids.dataset import Image
from training_cli.cohort.bids.names import parse
from training_cli.cohort.bids.pairs import matched


def images(*names):
    return [Image(Path(f"{name}.nii.gz"), parse(f"{name}.nii.gz")) for name in names]


def paired(firsts, seconds):
    found = matched(images(*firsts), images(*seconds), "reference")
    return [None if image is None else str(image.path).removesuffix(".nii.gz") for image in found]


def test_subject_and_session_decide():
    firsts = ["sub-1_ses-a_T1w", "sub-1_ses-b_T1w", "sub-2_T1w", "sub-3_T1w"]
    seconds = ["sub-1_ses-b_acq-fast_T2w", "sub-2_T2w", "sub-1_ses-a_run-2_T2w"]
    assert paired(firsts, seconds) == ["sub-1_ses-a_run-2_T2w", "sub-1_ses-b_acq-fast_T2w", "sub-2_T2w", None]


def test_of_several_the_one_of_the_same_run():
    assert paired(["sub-1_run-2_ce-gd_T1w"], ["sub-1_run-1_T2w", "sub-1_run-2_T2w"]) == ["sub-1_run-2_T2w"]
    with pytest.raises(InputError, match="could be the reference of sub-1_T1w.nii.gz: sub-1_run-1_T2w.nii.gz, sub-1"):
        paired(["sub-1_T1w"], ["sub-1_run-1_T2w", "sub-1_run-2_T2w"])


def test_no_image_goes_with_itself():
    assert paired(["sub-1_T1w", "sub-1_ce-gd_T1w"], ["sub-1_T1w"]) == [None, "sub-1_T1w"]
