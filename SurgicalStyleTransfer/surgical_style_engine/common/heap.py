"""Memory that a network gives back and takes again with every layer."""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache

_TRIM, _MAPPED = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of mallopt(3)
MEBIBYTE = 1 << 20
# Largest piece that is kept for the next layer, and how much free memory may be kept in all, in bytes.
TO_TRANSLATE = 128 * MEBIBYTE, 512 * MEBIBYTE  # volumes go back to the system
TO_TRAIN = 1024 * MEBIBYTE, 2047 * MEBIBYTE


def keep_freed(limits: tuple[int, int] = TO_TRANSLATE) -> bool:
    """Have this process use freed memory again instead of giving it back to the system; whether that can be set.

    limits: in bytes, the largest piece that is kept and the most that stays free at the heap's end.

    The images between two layers have tens of megabytes. Linux's C library gives such pieces back at once, and the
    system fills every page with zeros when it hands them out again, which is up to a third of a network's time
    (Testing/benchmarks/NOTES.md). Other systems, and whoever has set MALLOC_... by hand, are left alone.
    """
    library = _c_library()
    return library is not None and all(
        library.mallopt(which, value) == 1 for which, value in zip((_MAPPED, _TRIM), limits, strict=True)
    )


@cache
def _c_library() -> ctypes.CDLL | None:
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return None
    if any(name.startswith("MALLOC_") for name in os.environ) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") else None
