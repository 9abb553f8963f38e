"""The look of a scanner, a site or a set of scans: where the tissues lie in its grey values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.gate.regular import check_small
from surgical_style_engine.volumes.tissues.landmarks import EXPECTED, ORDER, Landmarks

SCHEMA = 1
ENDING = ".look.json"


@dataclass(frozen=True, eq=False)
class Look:
    """Tissue levels that scans of one contrast are brought to.

    Attributes:
        kind: the contrast: T1w, T1w-Gd, T2w or FLAIR.
        levels: (3,) ascending, above zero, of the tissues in the reference's units.
        volumes: how many scans it was measured on.
        name: what it is called, for headers and reports; no file name of a patient.
    """

    kind: str
    levels: np.ndarray
    volumes: int
    name: str

    @property
    def tissues(self) -> tuple[str, ...]:
        """What the levels are of, from dark to bright."""
        return ORDER[self.kind]

    def entry(self) -> dict[str, Any]:
        """As it is stored and reported."""
        levels = {tissue: float(level) for tissue, level in zip(self.tissues, self.levels, strict=True)}
        return {"schema": SCHEMA, "kind": self.kind, "levels": levels, "volumes": self.volumes, "name": self.name}

    def save(self, path: Path) -> None:
        """Write it as a JSON file, whole or not at all. Raises StyleTransferError where it cannot be written."""
        try:
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(self.entry(), indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise StyleTransferError(f"Cannot write the look {path}: {error.strerror or error}.") from None


def look_of(measured: Sequence[Landmarks], kind: str, name: str) -> Look:
    """The look of a set of scans.

    MR has no units: the same tissue is 300 in one scan and 3,000 in the next of the same scanner. So every scan is
    first brought to the same white matter; the look's own brightness is the median scan's.

    Args:
        measured: the tissues of each scan.
        kind: their contrast.
        name: of the set.
    """
    levels = np.array([one.levels for one in measured])
    white = levels[:, EXPECTED[kind].anchor, None]
    return Look(kind, np.median(levels / white, axis=0) * float(np.median(white)), len(levels), name)


def load_look(path: Path) -> Look:
    """Read a look that was saved. Raises InputError with one sentence for anything else."""
    check_small(path)
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        kind, levels = entry["kind"], entry["levels"]
        values = np.array([float(levels[tissue]) for tissue in ORDER[kind]])
        look = Look(kind, values, int(entry["volumes"]), str(entry["name"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path} is no look that sst harmonise saved.") from None
    if entry.get("schema") != SCHEMA:
        raise InputError(f"{path} was saved by a later version (schema {entry.get('schema')}).")
    if not np.isfinite(values).all() or values[0] <= 0 or np.diff(values).min() <= 0:
        raise InputError(f"{path} holds no ascending tissue levels.")
    return look
