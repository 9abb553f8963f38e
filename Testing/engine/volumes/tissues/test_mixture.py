from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surgical_style_engine.volumes.tissues.mixture import Expected, fit_expected, fit_mixture, histogram_of

FLAIR_LIKE = Expected(1, (0.45, 1.0, 1.14), (0.15, 0.06, 0.06), (0.15, 0.08, 0.08), (0.10, 0.42, 0.48))


def centres_and_weights(values):
    borders, weights = histogram_of(values)
    return (borders[:-1] + borders[1:]) / 2, weights


def drawn(means, deviations, counts, seed=0):
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(m, d, n) for m, d, n in zip(means, deviations, counts, strict=True)])


def test_classes_come_from_dark_to_bright_with_their_shares():
    found = fit_mixture(*centres_and_weights(drawn((20, 50, 80), (3, 3, 3), (1000, 5000, 4000))))
    assert found.means == pytest.approx([20, 50, 80], abs=1)
    assert found.shares == pytest.approx([0.1, 0.5, 0.4], abs=0.02)
    assert found.joint(np.array([20.0, 50.0, 80.0])).argmax(0).tolist() == [0, 1, 2]


def test_overlapping_tissues_are_told_apart_by_what_is_expected():
    """Grey and white matter of a FLAIR: one hill in the histogram, which a free mixture splits anyhow."""
    values = drawn((180, 400, 448), (50, 28, 28), (1000, 4500, 4500))
    expected = fit_expected(*centres_and_weights(values), FLAIR_LIKE)
    assert expected.means == pytest.approx([180, 400, 448], rel=0.05)


@pytest.mark.parametrize("scale", [0.02, 1.0, 300.0])
def test_units_do_not_matter(scale):
    values = drawn((180, 400, 448), (50, 28, 28), (1000, 4500, 4500))
    plain = fit_expected(*centres_and_weights(values), FLAIR_LIKE).means
    assert fit_expected(*centres_and_weights(values * scale), FLAIR_LIKE).means == pytest.approx(
        plain * scale, rel=1e-3
    )


def test_a_bright_lesion_moves_no_tissue():
    healthy = drawn((180, 400, 448), (50, 28, 28), (1000, 4500, 4500))
    lesion = np.random.default_rng(1).uniform(700, 900, 250)
    before = fit_expected(*centres_and_weights(healthy), FLAIR_LIKE).means
    after = fit_expected(*centres_and_weights(np.concatenate([healthy, lesion])), FLAIR_LIKE).means
    assert after == pytest.approx(before, rel=0.03)


def test_in_one_hill_anatomy_says_how_much_there_is_of_each_tissue():
    """Oedema of a tenth of the brain, and grey matter as bright as white: seen in FLAIR of patients with tumours."""
    values = drawn((200, 400, 405, 560), (60, 35, 45, 70), (1000, 4000, 4000, 1000))
    histogram = centres_and_weights(values)
    loose = fit_expected(*histogram, FLAIR_LIKE)
    told = fit_expected(*histogram, replace(FLAIR_LIKE, share_weight=1.0))
    assert loose.shares[2] < 0.3, "half of the grey matter, and the oedema"
    assert told.shares == pytest.approx([0.10, 0.42, 0.48], abs=0.05)
    assert told.means[1] == pytest.approx(400, rel=0.05)
