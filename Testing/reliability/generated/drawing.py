"""How many examples hypothesis draws, and which."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings


def drawn(count: int) -> Callable[[Any], Any]:
    """Decorator of a test: cheap and the same examples each time, unless ``fuzz_all.py`` asks for more and others.

    Args:
        count: Examples, where SST_EXAMPLES says nothing. SST_SEED draws others.
    """
    number = os.environ.get("SST_SEED")
    how = settings(
        max_examples=int(os.environ.get("SST_EXAMPLES", count)),
        derandomize=number is None,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    return how if number is None else lambda test: how(seed(int(number))(test))
