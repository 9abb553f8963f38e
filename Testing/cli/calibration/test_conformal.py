"""Conformal factors: what they cover of patients that had no part in them, by tissue class and in tumours."""

import numpy as np
import pytest
from made_up_patients import errors_model, patient, patients

from training_cli.calibration.conformal import factors_of, scored, weighted_quantile


def test_the_weighted_quantile_counts_weights():
    values = np.array([3.0, 1.0, 2.0])
    assert weighted_quantile(values, np.ones(3), 0.5) == 2
    assert weighted_quantile(values, np.array([8.0, 1.0, 1.0]), 0.5) == 3
    assert weighted_quantile(values, np.ones(3), 1.0) == 3


def test_scores_are_errors_over_the_raw_bound():
    one = patient("p", seed=1)
    known = scored(errors_model(), one)
    np.testing.assert_allclose(known.scores * known.raw, one.body.errors, rtol=1e-5)
    assert len(known.tumour_scores) == len(one.tumour.errors) and set(known.groups) <= set(range(6))


def test_new_patients_are_covered_in_every_class_and_in_tumours():
    model, level = errors_model(), 0.9
    factors = np.array(factors_of([scored(model, each) for each in patients(24, seed=1)], level))
    covered = {name: [] for name in ("all", 0, 1, 2, "tumour")}
    for each in patients(24, seed=1000):
        known = scored(model, each)
        inside = known.scores <= factors[known.groups]
        covered["all"].append(inside.mean())
        for group in range(3):
            covered[group].append(inside[known.groups % 3 == group].mean())
        covered["tumour"].append((known.tumour_scores <= factors[known.tumour_groups]).mean())
    for name, shares in covered.items():
        assert np.mean(shares) == pytest.approx(level, abs=0.03), name


def test_patients_count_equally_however_many_voxels_they_have():
    model = errors_model()
    small, large = patient("small", seed=1, scale=2.0, voxels=1000), patient("large", seed=2, scale=1.0, voxels=9000)
    once = factors_of([scored(model, small), scored(model, large)], 0.9)
    again = factors_of([scored(model, small), scored(model, patient("l", seed=2, scale=1.0, voxels=2000))], 0.9)
    np.testing.assert_allclose(once[:3], again[:3], rtol=0.1)


def test_tumours_with_larger_errors_widen_the_abnormal_groups_alone():
    model = errors_model()
    usual = factors_of([scored(model, each) for each in patients(8, seed=1)], 0.9)
    worse = factors_of([scored(model, each) for each in patients(8, seed=1, tumour_scale=3.0)], 0.9)
    assert usual[:3] == worse[:3] and all(more > 1.3 * less for more, less in zip(worse[3:], usual[3:], strict=True))


def test_ordinary_groups_give_way_where_bodies_are_covered_too_well():
    """Here most of a body looks like its tumour, whose errors are three times as large."""
    model, level = errors_model(), 0.9
    known = [scored(model, each) for each in patients(8, seed=1, tumour_scale=3.0)]
    for each in known:
        each.groups[::2] = each.groups[::2] % 3 + 3
    factors = np.array(factors_of(known, level))
    inside = [each.scores <= factors[each.groups] for each in known]
    ordinary = np.mean([part[each.groups < 3].mean() for part, each in zip(inside, known, strict=True)])
    assert 0.865 < ordinary < 0.875 and np.mean([part.mean() for part in inside]) < 0.95
    assert np.mean([(each.tumour_scores <= factors[each.tumour_groups]).mean() for each in known]) >= level


def test_tumours_that_look_ordinary_in_part_are_covered_as_a_whole():
    """A tenth of each tumour's voxels is taken for ordinary: the others are covered the more."""
    model, level = errors_model(), 0.9
    known = [scored(model, each) for each in patients(12, seed=1, tumour_scale=2.0)]
    for each in known:
        each.tumour_groups[::10] -= 3
    factors = np.array(factors_of(known, level))
    covered = [each.tumour_scores <= factors[each.tumour_groups] for each in known]
    assert level <= np.mean([part.mean() for part in covered]) < 0.93
    missed = np.mean([part[::10].mean() for part in covered])
    assert missed < 0.8, "in ordinary groups the bound is as narrow as for the rest"
