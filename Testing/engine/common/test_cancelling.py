"""Work far below learns that it is no longer wanted."""

import pytest

from surgical_style_engine.common.cancelling import cancellable, check_cancelled
from surgical_style_engine.errors import Cancelled


def test_it_is_asked_within_only():
    check_cancelled()
    answers = iter([False, True])
    with cancellable(lambda: next(answers)):
        check_cancelled()
        with pytest.raises(Cancelled):
            check_cancelled()
    check_cancelled()
