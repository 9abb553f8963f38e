"""How much memory a header may claim for a file of its size."""

from __future__ import annotations

import os
from pathlib import Path

from surgical_style_engine.errors import InputError

MOST_BY_DEFLATE = 1032  # bytes out of one, by the format
_SLACK = 1 << 20
_LARGE = 1 << 30  # bytes from which compression beyond that of any image is refused
_MOST_OF_LARGE = 200  # times; images have noise, which takes a bit a voxel at least


def check_room(path: Path, unpacked: int, packed: int, most: float = MOST_BY_DEFLATE) -> None:
    """Refuse what the file cannot hold, no image is, or this machine has no memory for.

    Args:
        path: For messages.
        unpacked: Bytes that the header claims.
        packed: Bytes that the file has for them.
        most: By how much the file's compression can shrink anything; 1 where there is none.

    Raises:
        InputError: With one sentence.
    """
    if unpacked > packed * most + (_SLACK if most > 1 else 0):
        raise InputError(f"The file {path} is damaged or truncated.")
    if unpacked > _LARGE and unpacked > packed * _MOST_OF_LARGE:
        raise InputError(
            f"The file {path} claims {unpacked / 1e9:.1f} GB of voxels in {packed / 1e6:.1f} MB, which no image is."
        )
    memory = installed_memory()
    if memory and unpacked > memory:
        raise InputError(
            f"The file {path} needs {unpacked / 1e9:.1f} GB of memory, and this machine has {memory / 1e9:.1f} GB."
        )


def installed_memory() -> int:
    """Bytes of memory that the machine has; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
