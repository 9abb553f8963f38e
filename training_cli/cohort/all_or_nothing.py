"""Several files that are written, or none of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


class Files:
    """The files and folders that a run writes, each named before it is written."""

    def __init__(self) -> None:
        self._written: list[tuple[Path, bool]] = []

    def add(self, path: Path) -> Path:
        """Name what is written next; the path itself."""
        self._written.append((path, path.exists()))
        return path

    def remove_new(self) -> None:
        """Remove what was not there before."""
        for path, existed in reversed(self._written):
            if not existed:
                with contextlib.suppress(OSError):
                    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)


@contextlib.contextmanager
def all_or_nothing() -> Iterator[Files]:
    """Gives the files to be written; when anything fails, those that are new are removed again."""
    files = Files()
    try:
        yield files
    except BaseException:
        files.remove_new()
        raise
