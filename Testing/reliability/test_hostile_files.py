"""Hostile files end as they should: refused with a sentence or read sensibly, the same each time, soon and small."""

from __future__ import annotations

import sys

import pytest
from reliability import batch
from reliability.hostile.registry import READ, REFUSED, cases

MOST_SECONDS = 10  # of processor time
MOST_MEGABYTES = 1000  # more than before

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and memory are read as Linux tells them")


@pytest.fixture(scope="module")
def endings() -> list[dict[str, batch.Ending]]:
    """Of all cases, and once more of those that were read, with other bytes in fresh memory."""
    first = batch.run(cases())
    return [first, batch.run([name for name, ending in first.items() if ending.outcome == READ], batch.FILLS[1])]


@pytest.mark.parametrize("name", cases())
def test_a_hostile_file(endings, name):
    ending, expected = endings[0][name], cases()[name].expected
    assert ending.outcome == expected, ending
    assert ending.seconds < MOST_SECONDS and ending.megabytes < MOST_MEGABYTES, ending
    if ending.outcome == REFUSED:
        assert ending.message.endswith(".") and "\n" not in ending.message.replace("a\nb.nii", "")
        assert "Doe" not in ending.message and "4711" not in ending.message
    else:
        assert endings[1][name].digest == ending.digest, "what was read depends on what the memory held before"


def test_there_are_many():
    assert len(cases()) >= 300
