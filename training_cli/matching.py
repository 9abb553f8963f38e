"""Which files of two folders belong to one patient, by their names."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path

from surgical_style_engine.dicom import DICOM_ENDINGS
from surgical_style_engine.errors import InputError
from surgical_style_engine.volume_io import ending_of, list_volumes


def volumes_in(path: Path, pattern: str = "*", what: str = "input") -> list[Path]:
    """The file itself, or the volumes directly in a folder whose names match `pattern` (`*_T1W*`).

    A folder of nothing but DICOM slices is one volume; a folder of such folders, a volume each. InputError when nothing
    is found.
    """
    if path.is_file():
        return [path]
    found = list_volumes(path)
    if not found:
        series = sorted(p for p in path.iterdir() if p.is_dir() and any(map(is_dicom_file, p.iterdir())))
        found = [p for p in series if fnmatch.fnmatch(p.name, pattern)]
        if found:
            return found
    if found and all(ending_of(p) in DICOM_ENDINGS for p in found):
        return [path]
    found = [p for p in found if fnmatch.fnmatch(p.name, pattern)]
    if not found:
        raise InputError(f"No {what} volume matches '{pattern}' in {path}.")
    return found


def is_dicom_file(path: Path) -> bool:
    return path.is_file() and ending_of(path) in DICOM_ENDINGS


def find_match(source: Path, candidates: Sequence[Path], what: str = "reference") -> Path | None:
    """The candidate that belongs to `source`, or None.

    That is the one of the same name; else the one that agrees in all its name's parts (split at _ - . and blanks) but
    the last, with a number among them: patient04_study1_T1W goes with patient04_study1_T2W and patient04_brainmask,
    not with patient04_study2_T2W; case_001 never goes with case_002. InputError when two fit equally well.
    """
    same = [c for c in candidates if stem(c) == stem(source) and c.resolve() != source.resolve()]
    if len(same) == 1:
        return same[0]
    ranked = []
    for candidate in candidates:
        if candidate.resolve() == source.resolve():
            continue
        shared = _shared_parts(source, candidate)
        if len(shared) >= len(_parts(candidate)) - 1 and any(re.search(r"\d", part) for part in shared):
            ranked.append((len(shared), candidate))
    best = [c for count, c in ranked if count == max(count for count, _ in ranked)]
    if len(best) > 1:
        names = ", ".join(c.name for c in best)
        raise InputError(f"Several {what} files fit {source.name}: {names}; narrow them down with a pattern.")
    return best[0] if best else None


def stem(path: Path) -> str:
    """File name without its ending ('.nii.gz' counts as one)."""
    ending = ending_of(path) if path.suffix else ""
    return path.name[: len(path.name) - len(ending)]


def _parts(path: Path) -> list[str]:
    return [part for part in re.split(r"[_\-.\s]+", stem(path).lower()) if part]


def _shared_parts(first: Path, second: Path) -> list[str]:
    shared = []
    for a, b in zip(_parts(first), _parts(second), strict=False):
        if a != b:
            break
        shared.append(a)
    return shared
