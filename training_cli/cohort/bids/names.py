"""Names of files by the rule of BIDS: entities as key-value pairs with "_" between, then a suffix and an ending."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from surgical_style_engine.volumes.recognise.kinds import CONTRASTS, FLAIR, T1W, T1W_GD, T2W, kind_of_domain

# Entities of anatomical images in the order that the specification asks for (BIDS 1.10, appendix "Entities").
ORDER = (
    *(
        "sub",
        "ses",
        "sample",
        "task",
        "tracksys",
        "acq",
        "voi",
        "nuc",
        "ce",
        "trc",
        "stain",
        "rec",
        "dir",
        "run",
        "mod",
    ),
    *("echo", "flip", "inv", "mt", "part", "proc", "hemi", "space", "split", "recording", "chunk", "atlas", "seg"),
    *("scale", "res", "den", "label", "desc"),
)
GADOLINIUM = "gadolinium"
_PAIR = re.compile(r"([a-zA-Z]+)-([a-zA-Z0-9+]+)")
_SUFFIX = re.compile(r"[a-zA-Z0-9]+")
_SUFFIXES = {T1W: "T1w", T1W_GD: "T1w", T2W: "T2w", FLAIR: "FLAIR"}


@dataclass(frozen=True)
class BidsName:
    """A file's name.

    Attributes:
        entities: Values by keys: {"sub": "01", "run": "2"}.
        suffix: Such as "T1w".
        ending: Such as ".nii.gz".
    """

    entities: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    ending: str = ".nii.gz"

    def __str__(self) -> str:
        """The name, its entities in the order that BIDS asks for."""
        known = [key for key in ORDER if key in self.entities]
        others = [key for key in self.entities if key not in ORDER]
        pairs = [f"{key}-{self.entities[key]}" for key in (*known[:-1], *others, *known[-1:])]
        return "_".join([*pairs, self.suffix]) + self.ending


def parse(name: str) -> BidsName | None:
    """A name's parts; None for one that does not follow the rule.

    >>> parse("sub-01_ses-a_run-2_T1w.nii.gz")
    BidsName(entities={'sub': '01', 'ses': 'a', 'run': '2'}, suffix='T1w', ending='.nii.gz')
    >>> str(parse("sub-01_desc-x_run-2_T1w.nii"))
    'sub-01_run-2_desc-x_T1w.nii'
    >>> parse("patient04_T1W.nii.gz") is None
    True
    """
    stem, dot, ending = name.partition(".")
    *pairs, suffix = stem.split("_")
    matches = [_PAIR.fullmatch(pair) for pair in pairs]
    if not pairs or not all(matches) or not _SUFFIX.fullmatch(suffix):
        return None
    entities = {match[1]: match[2] for match in matches if match is not None}
    return BidsName(entities, suffix, dot + ending) if "sub" in entities else None


def suffix_of(name: str, modality: str, units: str = "") -> str:
    """The suffix of images of a model's domain; empty where BIDS has none, such as for CT.

    Args:
        name: Of the domain, such as "T1w".
        modality: DICOM's.
        units: Of its voxels.
    """
    return _SUFFIXES.get(kind_of_domain(name, modality, units), "")


def has_agent(name: str, modality: str, units: str = "") -> bool | None:
    """Whether images of a model's domain were taken with a contrast agent; None where that does not matter."""
    kind = kind_of_domain(name, modality, units)
    return None if kind not in CONTRASTS else kind == T1W_GD


def synthetic_name(source: BidsName, suffix: str, target: str, agent: bool | None) -> BidsName:
    """The name of the translation of an image.

    Args:
        source: The image's name.
        suffix: Of the target's domain; empty where BIDS has none, then the image's own stays.
        target: Name of the target's domain.
        agent: Whether it shows a contrast agent; None to leave what the name says.
    """
    entities = dict(source.entities)
    if agent is False:
        entities.pop("ce", None)
    elif agent:
        entities.setdefault("ce", GADOLINIUM)
    entities["desc"] = "synthetic" if suffix else "synthetic" + re.sub(r"[^a-zA-Z0-9]", "", target)
    return BidsName(entities, suffix or source.suffix, ".nii.gz")


def labels_of(texts: list[str] | None, key: str) -> set[str] | None:
    """The labels that an option names, with or without their key: "sub-01" and "01" alike; None for all."""
    return {text.removeprefix(f"{key}-") for text in texts} if texts else None


def is_image(path: Path) -> bool:
    """Whether a name has the ending of an image."""
    return path.name.endswith((".nii.gz", ".nii"))
