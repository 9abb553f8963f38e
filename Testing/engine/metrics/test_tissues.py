"""Tissue contrast: means, order, verdict."""

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics.tissues import tissue_contrast

MAPS = {name: np.arange(8).reshape(1, 2, 4) // 3 == number for number, name in enumerate(("CSF", "grey", "white"))}
T1 = np.select([MAPS["CSF"], MAPS["grey"]], [1.0, 5.0], 9.0)[None]
T2 = np.select([MAPS["CSF"], MAPS["grey"]], [90.0, 50.0], 10.0)[None]


def test_a_t2_of_a_t1():
    found = tissue_contrast(T1, T2, MAPS, "T2w")
    assert found["tissues"]["CSF"] == {"before": 1.0, "after": 90.0, "voxels": 3}
    assert found["order_before"] == ["CSF", "grey", "white"] and found["order_after"] == ["white", "grey", "CSF"]
    assert found["as_expected"] is True


def test_an_untranslated_t1_is_no_t2_but_a_t1():
    assert tissue_contrast(T1, T1, MAPS, "T2w")["as_expected"] is False
    assert tissue_contrast(T1, T1, MAPS, "T1w")["as_expected"] is True


def test_an_unknown_domain_gets_no_verdict():
    found = tissue_contrast(T1, T2, MAPS, "watercolour")
    assert found["expected"] is None and found["as_expected"] is None


def test_empty_and_misplaced_maps_are_refused():
    with pytest.raises(InputError, match="white is empty"):
        tissue_contrast(T1, T2, {"white": np.zeros((1, 2, 4), bool)})
    with pytest.raises(InputError, match="shape"):
        tissue_contrast(T1, T2, {"white": np.ones((2, 2, 4), bool)})
