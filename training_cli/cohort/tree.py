"""The volumes of a folder tree of any depth."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import DICOM_ENDINGS, ending_of, list_volumes

from .matching import identity, match_all, stem, volumes_in
from .run.manifest import NAME, is_manifest


@dataclass(frozen=True)
class Tree:
    """What a folder holds.

    Attributes:
        root: The folder, or a single volume's file.
        volumes: Files, and folders of a DICOM series.
        problems: Folders of which it cannot be said what they hold, and why.
    """

    root: Path
    volumes: list[Path]
    problems: list[tuple[Path, str]] = field(default_factory=list)

    def place(self, path: Path) -> Path:
        """The path of a volume below the root; its name for the root itself."""
        return Path(path.name) if path == self.root else path.relative_to(self.root)


def volumes_below(root: Path, pattern: str = "*", leave_out: Sequence[Path] = (), what: str = "input") -> Tree:
    """The file itself, or the volumes in a folder and the folders in it whose names match a pattern.

    A folder of DICOM slices is one volume, and is looked into no further. Hidden folders are left out, and so are
    those with results of another run over a cohort.

    Args:
        root: A volume's file or DICOM folder, or a folder of volumes.
        pattern: Names of volumes, such as ``*_T1W*``; those of DICOM folders are the folders' own.
        leave_out: Folders that are not looked into.
        what: What the volumes are, for messages.

    Raises:
        InputError: Where nothing is found, or the root itself holds a series beside other volumes.
    """
    if root.is_file() or _is_series(list_volumes(root)):
        return Tree(root, [root])
    tree = Tree(root, [])
    for folder in _folders(root, leave_out):
        volumes = list_volumes(folder)
        if _is_series(volumes):
            if fnmatch.fnmatch(folder.name, pattern):
                tree.volumes.append(folder)
        elif any(fnmatch.fnmatch(path.name, pattern) for path in volumes):
            try:
                tree.volumes.extend(volumes_in(folder, pattern, what))
            except InputError as error:
                if folder == root:
                    raise
                tree.problems.append((folder, str(error)))
    if not tree.volumes and not tree.problems:
        raise InputError(f"No {what} volume matches '{pattern}' in {root}.")
    return tree


def match_below(sources: Tree, folder: Path, what: str, pattern: str = "*") -> list[Path | None]:
    """What belongs to each of the volumes of a tree, by their names, in another folder.

    Where that has the same folders, volumes go with what is in the folder of the same name: by the files' names, or,
    where these name no patient, as the only one there. In one that has no folders, names alone decide.

    Args:
        sources: The volumes.
        folder: Where the others are.
        what: What they are: "mask", "reference" or "lesion".
        pattern: Names of the others.

    Raises:
        InputError: Where two fit equally well, or one would serve what may be two patients.
    """
    others = volumes_below(folder, pattern, what=what)
    if all(others.place(path).parent == Path() for path in others.volumes):
        places: dict[str, Path] = {}
        for path in sources.volumes:
            if places.setdefault(stem(path), path.parent) == path.parent:
                continue
            raise InputError(
                f"Several volumes are called {stem(path)}, so that the {what}s need the same folders as the volumes."
            )
        return match_all(sources.volumes, others.volumes, what)
    matched: dict[Path, Path | None] = {}
    for place in dict.fromkeys(sources.place(path).parent for path in sources.volumes):
        own = [path for path in sources.volumes if sources.place(path).parent == place]
        beside = [path for path in others.volumes if others.place(path).parent == place]
        if place != Path() and len(own) == len(beside) == 1 and not identity(stem(own[0])):
            matched[own[0]] = beside[0]  # the folder names the patient, the files name nobody
        else:
            matched.update(zip(own, match_all(own, beside, what), strict=True))
    return [matched[path] for path in sources.volumes]


def is_cohort(path: Path) -> bool:
    """Whether a path is a folder of volumes, and not a volume: neither a file nor the folder of a DICOM series."""
    return path.is_dir() and not _is_series(list_volumes(path))


def _is_series(volumes: Sequence[Path]) -> bool:
    return bool(volumes) and all(ending_of(path) in DICOM_ENDINGS for path in volumes)


def _folders(root: Path, leave_out: Sequence[Path]) -> Iterator[Path]:
    """The folder and those in it, each once also where links lead back; none within a DICOM series."""
    left_out = {path.resolve() for path in leave_out}
    known: set[Path] = set()

    def walk(folder: Path) -> Iterator[Path]:
        own = folder.resolve()
        if own in known or own in left_out or folder != root and is_manifest(folder / NAME):
            return
        known.add(own)
        yield folder
        if folder != root and _is_series(list_volumes(folder)):
            return
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        except OSError as error:
            raise InputError(f"The folder {folder} cannot be read: {error.strerror}.") from None
        for name in names:
            if not name.startswith("."):
                yield from walk(folder / name)

    return walk(root)
