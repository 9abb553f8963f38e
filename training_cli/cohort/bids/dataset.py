"""A BIDS data set: whether a folder is one, or a part of one, and which of its images are asked for."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surgical_style_engine.errors import InputError

from .names import BidsName, is_image, labels_of, parse

DESCRIPTION = "dataset_description.json"
ANATOMY = "anat"
_LABELS = ("mask", "seg")  # how the suffixes of labelmaps end


@dataclass(frozen=True)
class Selection:
    """Which images are asked for; None: all.

    Attributes:
        suffix: Such as "T1w"; by the model if None.
        subjects: Labels, with or without "sub-".
        sessions: Labels, with or without "ses-".
    """

    suffix: str | None = None
    subjects: list[str] | None = None
    sessions: list[str] | None = None

    @property
    def is_any(self) -> bool:
        """Whether anything is asked for."""
        return any(value is not None for value in (self.suffix, self.subjects, self.sessions))

    def check_none(self, source: Path) -> None:
        """Raise InputError where something of a data set is asked for, and the source is none."""
        if self.is_any:
            raise InputError(f"--suffix, --subject and --session are for a BIDS data set, which {source} is not.")


@dataclass(frozen=True)
class Image:
    """An anatomical image of a data set: its file, and its name in parts."""

    path: Path
    name: BidsName


@dataclass(frozen=True)
class Dataset:
    """A data set, or a part of one.

    Attributes:
        root: The data set's folder.
        images: Anatomical images in the folder that was named.
    """

    root: Path
    images: list[Image]

    def of(self, suffix: str | None, agent: bool | None, selection: Selection) -> list[Image]:
        """The images of a suffix.

        Args:
            suffix: Such as "T1w"; None for all but labelmaps.
            agent: Whether those with or those without a contrast agent are meant; None for both.
            selection: Subjects and sessions.

        Raises:
            InputError: Where there are none, naming what there is.
        """
        subjects, sessions = labels_of(selection.subjects, "sub"), labels_of(selection.sessions, "ses")
        within = [
            image
            for image in self.images
            if (subjects is None or image.name.entities["sub"] in subjects)
            and (sessions is None or image.name.entities.get("ses") in sessions)
        ]
        fitting = [
            image
            for image in within
            if (image.name.suffix == suffix if suffix else not image.name.suffix.endswith(_LABELS))
            and (agent is None or ("ce" in image.name.entities) == agent)
        ]
        if not fitting:
            counts = Counter(image.name.suffix for image in within)
            there = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
            with_agent = "" if agent is None or agent is False else " with a contrast agent (entity ce)"
            of_suffix = f" with the suffix {suffix}{with_agent}" if suffix else ""
            raise InputError(
                f"No anatomical image{of_suffix} is asked for in the BIDS data set {self.root}; there are: {there}."
            )
        return fitting

    def description(self) -> dict[str, Any]:
        """What its description says; empty where there is none that can be read."""
        return read_description(self.root)


def read_description(root: Path) -> dict[str, Any]:
    """What the description of a data set says; empty where there is none that can be read."""
    try:
        values = json.loads((root / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def open_dataset(folder: Path) -> Dataset | None:
    """The data set that a folder is, or a part of: its root, a subject, a session, or a folder of anatomy.

    Args:
        folder: Any folder.

    Returns:
        The data set; None where the folder is none of these.
    """
    root = _root(folder.absolute())
    if root is None:
        return None
    images = []
    for path in sorted(folder.rglob("*")):
        place = path.absolute().relative_to(root)
        name = parse(path.name) if is_image(path) and _is_anatomy(place) else None
        if name is not None and f"sub-{name.entities['sub']}" == place.parts[0] and path.is_file():
            images.append(Image(path, name))
    return Dataset(folder if folder.absolute() == root else root, images)


def _is_anatomy(place: Path) -> bool:
    """Whether a place in a data set is sub-*/anat/* or sub-*/ses-*/anat/*."""
    parts = place.parts
    if len(parts) == 4 and parts[1].startswith("ses-"):
        parts = (parts[0], *parts[2:])
    return len(parts) == 3 and parts[0].startswith("sub-") and parts[1] == ANATOMY


def _root(folder: Path) -> Path | None:
    if (folder / DESCRIPTION).is_file():
        return folder
    if any((child / ANATOMY).is_dir() or any(child.glob(f"ses-*/{ANATOMY}")) for child in folder.glob("sub-*")):
        return folder  # some never write a description
    place = folder
    if place.name == ANATOMY:
        place = place.parent
    if place.name.startswith("ses-"):
        place = place.parent
    return place.parent if place.name.startswith("sub-") else None
