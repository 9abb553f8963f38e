"""Modified z-scores on a metric's bad side."""

import numpy as np
import pytest

from training_cli.cohort.run.manifest import Row
from training_cli.cohort.summary.outliers import FAR, columns_of, standings_of


def rows(values, name="semantic_consistency"):
    return [Row(f"p{n}", "done", metrics={} if v is None else {name: str(v)}) for n, v in enumerate(values)]


def test_the_score_is_the_distance_from_the_median_in_robust_deviations():
    done = rows([1, 2, 3, 4, 5, 6, 7, 8, -100])
    standings = standings_of(done, columns_of(done, ["semantic_consistency"]))
    assert standings["p8"].score == pytest.approx(104 / (1.4826 * 2)) and standings["p8"].is_outlier
    assert standings["p7"].score == 0 and standings["p0"].score < FAR


def test_values_that_are_mostly_equal_or_missing():
    done = rows([1.0] * 20 + [0.0, None])
    standings = standings_of(done, columns_of(done, ["semantic_consistency"]))
    assert standings["p20"].is_outlier and not standings["p21"].is_outlier
    same = rows([1.0] * 9)
    assert not any(each.is_outlier for each in standings_of(same, columns_of(same, ["semantic_consistency"])).values())


def test_a_column_has_quartiles_and_a_histogram():
    (column,) = columns_of(rows(range(1, 102)), ["semantic_consistency", "psnr"])
    assert column.quartiles == (1, 26, 51, 76, 101) and column.count == 101 and max(column.heights) == 100
    assert np.sum(column.heights) > 100 and column.text(0.5) == "0.500" and column.text(None) == ""
