"""A direction's calibration on patients left out: coverage, expected PSNR, ranges."""

import numpy as np
import pytest
from made_up_patients import errors_model, patients

from training_cli.calibration.direction import LeftOut, calibrated, expected_psnr, psnr_line, spearman


def learned(known, level, full):
    return errors_model()


def test_left_out_patients_are_covered_and_what_is_kept_says_so():
    known, tried = calibrated(patients(12, seed=5), learn=learned)
    assert len(tried["quick"]) == 12 and known.full is None and known.patients == 12 and known.hospitals == 3
    for name in ("all", "dark", "middle", "bright", "tumour"):
        assert known.coverage[name].mean == pytest.approx(0.9, abs=0.03), name
        assert known.coverage[name].worst <= known.coverage[name].mean
    assert set(known.ranges) == {"mean_bound", "untrusted_share", "semantic_consistency", "psnr"}
    for one in tried["quick"]:
        assert known.ranges["psnr"].low <= one.psnr + 1e-3 and one.psnr <= known.ranges["psnr"].high + 1e-3
        assert one.risk[0] < one.risk[-1], "the smallest bounds have the smallest errors"


def test_an_error_model_never_sees_the_hospital_that_it_is_tried_on():
    seen = []

    def learn(known, level, full):
        seen.append({each.hospital[-1] for each in known})
        return errors_model()

    calibrated(patients(9, seed=1), learn=learn)
    assert seen == [{"b", "c"}, {"a", "c"}, {"a", "b"}, {"a", "b", "c"}]


def left_out(promised, psnr, hospital="a"):
    return LeftOut("p", hospital, {}, 0.1, promised, psnr, 0.5, 0.0, [])


def test_the_expected_psnr_follows_what_is_promised():
    rng = np.random.default_rng(0)
    promised = rng.uniform(10, 16, 20)
    true = 5 + 0.8 * promised + rng.normal(0, 0.1, 20)
    tried = [left_out(*values) for values in zip(promised, true, "abcd" * 5, strict=True)]
    known = expected_psnr(tried)
    assert known.slope == pytest.approx(0.8, abs=0.1) and known.spearman > 0.9
    assert 0.1 < known.below == known.above < 0.5
    assert expected_psnr(tried[:4]) is None
    assert expected_psnr([left_out(one.promised, one.psnr, "ab"[n % 2]) for n, one in enumerate(tried)]) is None


def test_what_holds_within_hospitals_alone_has_no_slope():
    """Of each hospital the better are promised more, but between hospitals it says nothing: the mean errs less."""
    level = {"a": 20.0, "b": 15.0, "c": 20.0, "d": 15.0}
    promised = {"a": 10.0, "b": 11.0, "c": 12.0, "d": 13.0}
    tried = [left_out(promised[name] + 0.1 * n, level[name] + 0.5 * n, name) for name in level for n in range(3)]
    known = psnr_line(tried)
    assert expected_psnr(tried) is None, "no number is given that does not tell patients apart"
    assert known.slope == 0 and known.spearman == 0
    assert known.intercept == pytest.approx(np.mean([one.psnr for one in tried]), abs=1e-3)


def test_rank_correlation():
    assert spearman(np.array([1.0, 2, 3]), np.array([10.0, 20, 900])) == pytest.approx(1)
    assert spearman(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == pytest.approx(-1)
