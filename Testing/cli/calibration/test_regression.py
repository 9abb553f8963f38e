"""The error model that is learned finds what errors go with."""

import numpy as np
from made_up_patients import TEXTURE, patients

from surgical_style_engine.metrics.uncertainty.bound import groups_of, raw_bounds
from surgical_style_engine.metrics.uncertainty.features import FULL_FEATURES, QUICK_FEATURES
from training_cli.calibration.regression import regressed


def test_it_follows_the_law_of_the_errors():
    known = patients(6, seed=1)
    model = regressed(known, 0.9, full=False)
    assert model.features == list(QUICK_FEATURES) and model.factors == [1.0] * 6
    new = patients(2, seed=99)[0].body
    raw = raw_bounds(model, new.features[:, : len(QUICK_FEATURES)])
    law = 0.1 * 1.645 * np.exp(new.features[:, TEXTURE])  # nine of ten normal errors are below 1.645 deviations
    assert np.corrcoef(np.log(raw), np.log(law))[0, 1] > 0.9
    assert 0.7 < np.median(raw / law) < 1.5
    assert model == regressed(known, 0.9, full=False), "the same again"


def test_it_tells_what_looks_like_a_tumour():
    """Made-up tumours are more one-sided than the rest of the body."""
    model = regressed(patients(6, seed=1), 0.9, full=False)
    new = patients(1, seed=99)[0]
    abnormal = [groups_of(model, part.features[:, : len(QUICK_FEATURES)]) >= 3 for part in (new.body, new.tumour)]
    assert 0.2 < abnormal[0].mean() < 0.4 and abnormal[1].mean() > 0.9


def test_the_full_one_looks_at_the_disagreement():
    assert regressed(patients(3, seed=1), 0.9, full=True).features == list(FULL_FEATURES)
