"""Files and folders that are whole or absent: written under a temporary name in the same folder, then renamed.

The only place that does so. A rename within one folder is atomic on every file system in use; in between, the old file
stays what it was. The writer opens the temporary file itself, which thereby gets the rights of any new file.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

# On Windows a file that another program reads (a virus scanner, an indexer) cannot be renamed for a moment.
_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8) if os.name == "nt" else ()  # seconds before the next try
_MOST_TRIALS = 1000  # of processes that replace one folder at the same time
_TEMPORARY = re.compile(r"\.(.*\.)?[0-9a-f]{12}\.(tmp(\..*)?|partial)")  # names given below
_LONGEST_STEM = 32  # characters of the name that the temporary one repeats, so that long names stay allowed


@contextlib.contextmanager
def replacing(path: Path | str, *, make_folders: bool = True, sync: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to, which takes the name ``path`` when the block ends well, and goes otherwise.

    Args:
        path: The file's final name; a file of this name is replaced.
        make_folders: Whether missing folders are made.
        sync: Whether the system is made to write the file to the disk before it is renamed, so that not even a power
            failure leaves an empty file under the final name.

    Yields:
        The temporary path: it begins with a dot and keeps the ending, by which some writers choose their format.

    Raises:
        OSError: Where the file cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with replacing(folder / "report.json") as temporary:
        ...     _ = temporary.write_text("{}")
        >>> next(folder.iterdir()).name
        'report.json'
    """
    path = Path(path)
    if make_folders:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:_LONGEST_STEM]}.{uuid.uuid4().hex[:12]}.tmp{path.suffix}")
    try:
        yield temporary
        if sync:
            _sync(temporary)
        rename(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # such as of a folder that is not one: the first failure is what counts
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def beside(path: Path | str) -> Iterator[Path]:
    """Give a temporary folder beside ``path``, in which to write and check what is renamed then; it goes in the end.

    Args:
        path: What the folder is for; missing folders above it are made.

    Yields:
        The folder, empty.

    Raises:
        OSError: Where it cannot be made.
    """
    temporary = Path(path).with_name(f".{uuid.uuid4().hex[:12]}.partial")
    try:
        temporary.mkdir(parents=True)
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def replacing_folder(folder: Path | str) -> Iterator[Path]:
    """The same as ``replacing`` for a folder, which is replaced as a whole.

    Args:
        folder: The folder's final name; missing folders above it are made.

    Yields:
        The temporary folder, empty, beside the final one.

    Raises:
        OSError: Where it cannot be written; a folder that was there before is there still.
    """
    with beside(folder) as temporary:
        yield temporary
        put_folder(temporary, Path(folder))


def put_folder(temporary: Path, folder: Path) -> None:
    """Give a finished folder its final name beside it; one of that name goes last, and is put back if that fails.

    Args:
        temporary: The finished folder, on the same file system.
        folder: The final name.

    Raises:
        OSError: Where it cannot be renamed; ``folder`` is what it was.
    """
    for _ in range(_MOST_TRIALS):
        if not folder.exists():
            try:
                rename(temporary, folder)
                return
            except OSError:
                if not folder.exists():
                    raise
        if _exchange(temporary, folder):
            shutil.rmtree(temporary, ignore_errors=True)  # what was there before
            return
        old = folder.with_name(f".{uuid.uuid4().hex[:12]}.old")
        try:
            rename(folder, old)
        except FileNotFoundError:
            continue  # another process replaces it at the same time
        try:
            rename(temporary, folder)
        except OSError:
            if folder.exists():  # another process was faster: its folder is the one to be replaced
                shutil.rmtree(old, ignore_errors=True)
                continue
            rename(old, folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
        return
    raise OSError(errno.EBUSY, "other processes keep replacing it", str(folder))


def _exchange(first: Path, second: Path) -> bool:
    """Swap the names of two folders in one step, where the system can (Linux): not even a kill leaves none of them."""
    exchange = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if exchange is None:
        return False
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(exchange(here, os.fsencode(first.absolute()), here, os.fsencode(second.absolute()), swap) == 0)


def put_files(places: Sequence[tuple[Path, Path]]) -> None:
    """Give finished files their final names, in this order; if one cannot, all names hold what they held.

    Args:
        places: The finished file and its final name, each on one file system.

    Raises:
        OSError: Where a file cannot be renamed.
    """
    kept: dict[Path, Path] = {}
    renamed: list[Path] = []
    try:
        for temporary, path in places[:-1]:
            if path.exists():
                kept[path] = temporary.with_name(f"{uuid.uuid4().hex[:12]}.kept")
                rename(path, kept[path])
            rename(temporary, path)
            renamed.append(path)
        rename(*places[-1])  # atomic by itself
    except OSError:
        for path in renamed:
            path.unlink(missing_ok=True)
        for path, old in kept.items():
            rename(old, path)
        raise


def remove_folder(folder: Path) -> None:
    """Delete a folder with all that is in it, or nothing of it.

    It is renamed first, which Windows refuses as long as a file in it is open or mapped into memory.

    Args:
        folder: The folder; its neighbours that such a deletion has left behind go, too.

    Raises:
        OSError: Where it cannot be renamed; all of it is still there.
    """
    gone = folder.with_name(f".{uuid.uuid4().hex[:12]}.old")
    rename(folder, gone)
    for old in [gone, *folder.parent.glob(".????????????.old")]:
        shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Remove what processes that were killed have left half written; nobody else may be writing there.

    Args:
        folders: Where to look, each without the folders in it; they need not exist.
    """
    for folder in folders:
        names = os.listdir(folder) if folder.is_dir() else []
        for path in (folder / name for name in names if _TEMPORARY.fullmatch(name)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()


def rename(source: Path, target: Path) -> None:
    """``os.replace``, tried again for a moment where Windows says that somebody else has the file open."""
    for seconds in _WAITS:
        try:
            os.replace(source, target)
        except PermissionError:
            time.sleep(seconds)
        else:
            return
    os.replace(source, target)


def _sync(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
