"""Where a run may write: nothing that it reads, and no two things into one place."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from surgical_style_engine.errors import InputError


def check_outputs(inputs: Iterable[Path | None], outputs: Iterable[Path | None], report: Path | None = None) -> None:
    """Raise InputError where an output, or the report, is one of the inputs or another output, also through a link.

    inputs: files and folders that are read. outputs: files and folders that are written; those in folders file by file.
    report: its name must end with .json, so that no slip of an option can name an image. None entries are left out.
    """
    read = {key for path in inputs if path is not None for key in _keys(path)}
    written: set[object] = set()
    for path in (*outputs, report):
        if path is None:
            continue
        # MetaImage headers have their voxels in a file beside them.
        for each in (path, path.with_suffix(".zraw")) if path.suffix.lower() == ".mhd" else (path,):
            keys = _keys(each)
            if not read.isdisjoint(keys):
                raise InputError(f"{each} would overwrite its own input; give the output another name.")
            if not written.isdisjoint(keys):
                raise InputError(f"Two outputs would overwrite each other in {each}; give one another name.")
            written |= keys
    if report is not None and report.suffix.lower() != ".json":
        raise InputError(f"The report {report.name} needs a name that ends with .json.")
    if report is not None and report.is_dir():
        raise InputError(f"The report {report} would be a folder; give it a file name such as report.json.")


def is_same(first: Path, second: Path) -> bool:
    """Whether two paths are one file or folder: by name, through links of both kinds, or by another case of letters."""
    return not _keys(first).isdisjoint(_keys(second))


def _keys(path: Path) -> set[object]:
    """What two paths of one file or folder have in common: its whole name, and what the system knows it by."""
    keys: set[object] = {os.path.normcase(os.path.realpath(path))}
    try:
        status = path.stat()
    except OSError:  # it is not there
        return keys
    return keys | {(status.st_dev, status.st_ino)} if status.st_ino else keys
