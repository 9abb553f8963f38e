"""Files that are almost good: bytes changed, left out, put in or repeated."""

from __future__ import annotations

from hypothesis import strategies as st

EDGES = (
    b"\0",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0\0\0\0\0",
    b"-1",
    b"nan",
    b"\n",
)


@st.composite
def spoilt_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Good bytes with one to four changes, most of them in the first kilobyte, where headers are."""
    for _ in range(draw(st.integers(1, 4))):
        last = max(0, len(data) - 1)
        place = draw(st.integers(0, min(1024, last)) | st.integers(0, last))
        part = draw(st.sampled_from(EDGES) | st.binary(min_size=1, max_size=8))
        how = draw(st.sampled_from(["put over", "put over", "put in", "leave out", "end"]))
        rest = {"put over": place + len(part), "put in": place, "leave out": place + draw(st.integers(1, 64))}
        data = data[:place] if how == "end" else data[:place] + (part if "put" in how else b"") + data[rest[how] :]
    return data
