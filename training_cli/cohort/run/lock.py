"""One run at a time in a folder of results."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from surgical_style_engine.errors import InputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

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
        if sys.platform != "win32":  # there, nothing that is open can be removed
            path.unlink(missing_ok=True)
        os.close(handle)
        if sys.platform == "win32":
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
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True
