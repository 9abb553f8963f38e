"""The verdict on a volume, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surgical_style_engine.app.trust.verdict import TITLES

from .table import Row, Table, number


@dataclass(frozen=True)
class ShownVerdict:
    """What stands above a volume's slices.

    Attributes:
        level: green, amber, red or none; the class of its frame.
        title: The level in words.
        sentence: With the first reason.
        more: The other reasons.
        table: The metrics beside the ranges of left-out patients; None without any.
        notes: What the bound is, and whom the ranges are of.
    """

    level: str
    title: str
    sentence: str
    more: list[str] = field(default_factory=list)
    table: Table | None = None
    notes: list[str] = field(default_factory=list)


def shown_verdict(quality: Mapping[str, Any]) -> ShownVerdict | None:
    """The verdict of a report's ``quality``; None where it has none, as reports of earlier versions do."""
    entry = quality.get("verdict")
    if not isinstance(entry, Mapping) or not entry.get("sentence"):
        return None
    level = entry["level"] if entry.get("level") in TITLES else "none"
    rows = [
        Row(str(each["title"]), "", [str(each["text"])], "" if each["within"] else "worse than all of them")
        for each in entry.get("compared") or []
    ]
    return ShownVerdict(
        level=level,
        title=TITLES[level],
        sentence=str(entry["sentence"]),
        more=[str(text) for text in (entry.get("reasons") or [])[1:]],
        table=Table("Beside patients that the model had not seen", ["This volume"], rows) if rows else None,
        notes=_notes(entry),
    )


def _notes(entry: Mapping[str, Any]) -> list[str]:
    notes, bound, left_out = [], entry.get("bound"), entry.get("left_out")
    if isinstance(bound, Mapping):
        units = "" if bound["units"] == "arbitrary" else f" {bound['units']}"
        notes.append(
            f"Error bound: {bound['level']:.0%} of the voxels are expected within it, {number(bound['mean'])}{units} "
            f"on average. From {number(bound['limit'])}{units} on a voxel tells no more than one grey would: that "
            f"is so for {bound['untrusted_share']:.0%} of the body."
        )
    if isinstance(left_out, Mapping):
        patients, hospitals = left_out["patients"], left_out["hospitals"]
        if tumour := left_out.get("tumour"):
            notes.append(
                f"Within tumours {tumour['mean']:.0%} of the voxels of these patients lay within the bound, "
                f"{tumour['worst']:.0%} in the worst of them."
            )
        if psnr := left_out.get("psnr"):
            notes.append(f"The PSNR of these patients was {psnr['low']:.1f} to {psnr['high']:.1f} dB.")
        notes.append(
            f"Ranges of {patients} patients of {hospitals} hospitals, judged by models trained without theirs."
        )
    return notes
