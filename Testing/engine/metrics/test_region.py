"""One rule for the region that is judged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics.region import judged_region

SHAPE = (2, 3, 4)
BITS = st.lists(st.booleans(), min_size=24, max_size=24).map(lambda bits: np.array(bits).reshape(SHAPE))


@settings(deadline=None)
@given(labels=BITS, body=BITS, valid=st.none() | BITS)
def test_labels_in_the_body_else_the_labels_where_the_reference_is(labels, body, valid):
    everywhere = np.ones(SHAPE, bool) if valid is None else valid
    before = body.copy()
    np.testing.assert_array_equal(judged_region(None, body, valid), body & everywhere)
    if labels.any():
        expected = labels & body if (labels & body).any() else labels
        for written in (labels, labels * 7, labels * -1.0):  # any label, and what float masks hold
            np.testing.assert_array_equal(judged_region(written, body, valid), expected & everywhere)
    np.testing.assert_array_equal(body, before)


def test_an_empty_mask_and_other_sizes_are_refused():
    body = np.ones(SHAPE, bool)
    with pytest.raises(InputError, match="empty"):
        judged_region(np.zeros(SHAPE), body)
    with pytest.raises(InputError, match="shape"):
        judged_region(np.ones((3, 3, 4)), body)
    with pytest.raises(InputError, match="coverage"):
        judged_region(None, body, np.ones((3, 3, 4)))
