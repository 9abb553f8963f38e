"""Only regular files are read, and of the files that a header names only those beside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from surgical_style_engine.errors import InputError

LARGEST_TEXT = 64 << 20  # bytes
_LARGE = 1 << 30  # bytes from which a file must be stored
_MOST_HOLES = 256  # times what is stored; file systems that compress store less, too


def check_regular(path: Path) -> int:
    """Look at a file without opening it, so that no pipe and no device is waited for.

    Args:
        path: As a person named it; it may be a link.

    Returns:
        Its size in bytes.

    Raises:
        InputError: Where it does not exist, is no regular file, is empty, or must not be read.
    """
    try:
        str(path).encode()
        status = path.stat()
    except FileNotFoundError:
        raise InputError(f"The file {path} does not exist.") from None
    except (OSError, ValueError) as error:  # a link to itself; a name too long, of no text, or with a NUL
        reason = getattr(error, "strerror", None) or "its name cannot be used"
        raise InputError(f"The file {ascii(str(path)[-200:])} cannot be read: {reason}.") from None
    if not stat.S_ISREG(status.st_mode) or not os.access(path, os.R_OK):
        raise InputError(f"The file {path} cannot be read: it is not a file, or reading it is not permitted.")
    if status.st_size == 0:
        raise InputError(f"The file {path} is empty.")
    check_no_holes(path, status)
    return status.st_size


def check_small(path: Path, largest: int = LARGEST_TEXT) -> None:
    """Raise InputError for what is no regular file, or is larger than any list, settings or report."""
    if check_regular(path) > largest:
        raise InputError(f"The file {path} is larger than {largest >> 20} MB, which no such file is.")


def check_no_holes(path: Path, status: os.stat_result) -> None:
    """Raise InputError for a large sparse file: it costs its maker nothing, and its reader hours and all memory."""
    stored = getattr(status, "st_blocks", None)
    if stored is not None and status.st_size > _LARGE and stored * 512 * _MOST_HOLES < status.st_size:
        raise InputError(f"The file {path} is a sparse file of {status.st_size / 1e9:.0f} GB, almost all of it holes.")


def is_regular(path: Path) -> bool:
    """Whether it is a regular file, or a link to one; False for whatever cannot be looked at."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def named_beside(header: Path, name: str) -> Path:
    """Find the file that a header names.

    Args:
        header: The file that names it.
        name: As the header spells it.

    Returns:
        Its path: a regular file in the folder of the header, links followed.

    Raises:
        InputError: For whatever lies elsewhere, is no regular file, or is not there.
    """
    if not name or "\0" in name:
        raise InputError(f"The file {header} does not name the file that holds its voxels.")
    try:
        path = (header.parent / name).resolve()
        folders = {header.parent.resolve(), header.resolve().parent}
    except (OSError, RuntimeError):
        raise InputError(f"The file {header} names a file that cannot be used.") from None
    if path.parent not in folders:
        raise InputError(f"The file {header} takes its voxels from a file elsewhere, not beside it, which is refused.")
    if not path.exists():
        raise InputError(f"The file {header} needs {path.name} beside it, which does not exist.")
    if not is_regular(path) or path == header.resolve():
        raise InputError(f"The file {header} names {path.name} as its voxels, which is no file of voxels.")
    return path
