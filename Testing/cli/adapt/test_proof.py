"""What counts as better, and that only what was kept aside is looked at."""

import numpy as np
import pytest
from adapting import head_pair

from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from training_cli.adapt.proof import JudgedPair, Proof, judged_pair, paired_figures

BEFORE = {"psnr": 17.0, "ssim": 0.6, "mae_normalised": 0.2, "sharpness": 0.9}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"psnr": 17.5, "mae_normalised": 0.19}, ""),
        ({"psnr": 17.05, "mae_normalised": 0.19}, "not closer"),
        ({"psnr": 17.5, "mae_normalised": 0.2}, "not closer"),
        ({"psnr": 18.0, "mae_normalised": 0.18, "ssim": 0.59}, "structure is less"),
        ({"psnr": 18.0, "mae_normalised": 0.18, "sharpness": 0.8}, "blurred"),
        ({"psnr": 18.0, "mae_normalised": 0.18, "sharpness": 1.3}, "too sharp"),
        ({"psnr": 18.0, "mae_normalised": 0.18, "sharpness": 1.1}, ""),
        ({"psnr": float("nan"), "mae_normalised": 0.1}, "cannot be told"),
    ],
)
def test_better_is_closer_and_neither_blurred_nor_of_other_structure(change, why):
    proof = Proof(BEFORE, BEFORE | change)
    assert bool(proof.why_not) == bool(why) and why in proof.why_not
    if not why:
        assert "17.50 dB instead of 17.00" in proof.text() or "18.00 dB instead of 17.00" in proof.text()


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ({"placed": 0.2, "structure": 0.6}, {"placed": 0.15, "structure": 0.6}, ""),
        ({"placed": 0.2, "structure": 0.6}, {"placed": 0.199, "structure": 0.6}, "intensities"),
        ({"placed": 0.2, "structure": 0.6}, {"placed": 0.1, "structure": 0.5}, "structure"),
        (
            {"placed": 0.2, "structure": 0.6, "agreement": 0.4},
            {"placed": 0.2, "structure": 0.6, "agreement": 0.45},
            "",
        ),
        (
            {"placed": 0.2, "structure": 0.6, "agreement": 0.4},
            {"placed": 0.1, "structure": 0.6, "agreement": 0.4},
            "place by place",
        ),
    ],
)
def test_without_pairs_it_is_the_scanners_tone_at_the_same_structure(before, after, why):
    proof = Proof(before, after)
    assert bool(proof.why_not) == bool(why) and why in proof.why_not


def test_only_the_slices_kept_aside_count(base):
    source, target = head_pair()
    places = np.arange(10, 15)
    pair = judged_pair(source, target, places, "axial")
    assert set(np.flatnonzero(pair.region.any(axis=(1, 2)))) == set(places)
    options = RunOptions(device="cpu", precision="fp32", backend="torch")
    before = paired_figures(base, "forward", [pair], options)
    spoilt = target.array.copy()
    spoilt[:, 2:6] = spoilt[:, 2:6].mean()
    other = JudgedPair(source, target.with_array(spoilt), pair.region)
    after = paired_figures(base, "forward", [other], options)
    # The reference is normalised by all of it, so that its landmarks may move a little; its slices are not compared.
    assert after["psnr"] == pytest.approx(before["psnr"], abs=0.5)
    spoilt[:, 10:15] = spoilt[:, 10:15].mean()
    with pytest.raises(InputError, match="constant"):
        paired_figures(base, "forward", [JudgedPair(source, target.with_array(spoilt), pair.region)], options)
