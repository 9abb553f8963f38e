"""One run at a time in a folder of results."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from surgical_style_engine.errors import InputError

_NAME = ".manifest.lock"


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Within it, no other process gets here for the same folder; the system ends it with the process.

    Args:
        folder: It exists.

    Raises:
        InputError: Where another process is within it.
        OSError: Where the folder cannot be written.
    """
    path = folder / _NAME
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _lock(handle):
                raise InputError(f"Another run writes into {folder}; wait for its end, or give another folder.")
            if _is_still(handle, path):
                break
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # whoever had it has removed it meanwhile
    try:
        yield
    finally:
        if os.name != "nt":  # there, nothing that is open can be removed
            path.unlink(missing_ok=True)
        os.close(handle)
        if os.name == "nt":
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _is_still(handle: int, path: Path) -> bool:
    try:
        own, there = os.fstat(handle), path.stat()
    except FileNotFoundError:
        return False
    return (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino)


def _lock(handle: int) -> bool:
    """Whether the lock was free; also where the file system has no locks."""
    if os.name == "nt":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
