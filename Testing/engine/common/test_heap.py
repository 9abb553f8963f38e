"""Freed memory is kept by the process where its C library can be told so."""

import os
import platform
import subprocess
import sys

import pytest

from surgical_style_engine.common import heap

GLIBC = platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"

# Takes and frees 60 MB eight times; prints what could be set and how many pages the system had to hand out meanwhile.
PROGRAM = """
import resource, sys
import numpy as np
from surgical_style_engine.common import heap
told = heap.keep_freed() if sys.argv[1] == "keep" else None
np.ones(60 << 20, np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    np.ones(60 << 20, np.uint8)
print(told, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(how: str, **more: str) -> tuple[str, int]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], env=clean | more, capture_output=True, text=True, check=True
    )
    told, faults = done.stdout.split()
    return told, int(faults)


@pytest.mark.skipif(not GLIBC, reason="only glibc can be told")
def test_freed_memory_is_used_again():
    _, usual = run("usual")
    told, kept = run("keep")
    assert told == "True"
    assert kept < 0.5 * usual


@pytest.mark.skipif(not GLIBC, reason="only glibc can be told")
def test_what_the_person_has_set_stays():
    told, _ = run("keep", MALLOC_TRIM_THRESHOLD_="1000000")
    assert told == "False"


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(heap.platform, "system", lambda: "Windows")
    heap._c_library.cache_clear()
    try:
        assert heap.keep_freed() is False
    finally:
        heap._c_library.cache_clear()
