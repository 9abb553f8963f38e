"""Values that a field of JSON may hold and nobody expects, and places in nested JSON to put them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

GONE = object()  # the field is left out
ODD = (
    None,
    True,
    0,
    -1,
    1,
    3,
    2**31,
    10**30,
    -(10**400),
    1e300,
    -1e300,
    1e-300,
    float("nan"),
    float("inf"),
    -float("inf"),
    "",
    " ",
    "\0",
    ".",
    "..",
    "/",
    "/dev/zero",
    "/dev/null",
    "/nonexistent/folder/file.npy",
    "a\ud800b",
    "\x1b]0;owned\x07",
    "x" * 5000,
    "nan",
    "forward",
    "sideways",
    "learned",
    [],
    {},
    [[]],
    [None],
    [1, 2, 3],
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    {"": ""},
    {"kind": "robust_percentile"},
)
JUNK = st.sampled_from(ODD) | st.text(max_size=8) | st.integers() | st.floats()
# What is odd for a field comes more often than what nobody could take for it.
ODDITIES = st.sampled_from([GONE, *ODD])
ODDITIES = (
    ODDITIES | ODDITIES | (JUNK | st.lists(JUNK, max_size=3) | st.dictionaries(st.text(max_size=4), JUNK, max_size=3))
)


def places(value: Any, place: tuple = ()) -> Iterator[tuple]:
    """Every place in nested tables and lists, but for the whole."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*place, key)
        yield from places(part, (*place, key))


def put(value: Any, place: tuple, part: Any) -> Any:
    """A copy with another part in a place, or without it for GONE; as it was where the place has gone meanwhile."""
    changed = copy.deepcopy(value)
    try:
        holder = changed
        for key in place[:-1]:
            holder = holder[key]
        if part is GONE:
            del holder[place[-1]]
        else:
            holder[place[-1]] = part
    except (KeyError, IndexError, TypeError):
        pass
    return changed


@st.composite
def spoilt(draw: st.DrawFn, values: list[dict[str, Any]], kept: tuple[str, ...] = ()) -> dict[str, Any]:
    """One of some good values, with odd ones in one to three of its places, but for kept fields, or with one more."""
    value = draw(st.sampled_from(values))
    keep = set(kept)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from([place for place in places(value) if place[0] not in keep] or [("more",)]))
        part = draw(ODDITIES)
        if draw(st.integers(0, 15)) == 0:
            place = (*place[:-1], draw(st.text(max_size=6)))
        value = put(value, place, part)
    return value
