"""Preprocessed training items, and the typical landmarks of a domain of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.normalization import Landmarks, parse_landmarks


@dataclass(frozen=True)
class CachedItem:
    """One preprocessed volume, or one side of a registered pair.

    Attributes:
        name: of the file, for people.
        path: of the array (c, s, h, w).
        slice_mm: distance of the slices.
        body: numbers of the slices worth training on.
        box: the body's box in plane: top, bottom, left, right.
        landmarks: of the normalisation, as in a model card.
        raw_statistics: percentiles in the file's units, by name.
        valid: path of a boolean array (s, h, w), or None where every voxel may be compared.
        inputs: landmarks of each channel, where they are different modalities.
    """

    name: str
    path: Path
    slice_mm: float
    body: np.ndarray
    box: tuple[int, int, int, int]
    landmarks: dict[str, Any]
    raw_statistics: dict[str, float]
    valid: Path | None = None
    inputs: tuple[dict[str, Any], ...] = ()

    def load(self) -> np.ndarray:
        """The array (c, s, h, w) in [-1, 1], memory-mapped."""
        return np.load(self.path, mmap_mode="r")

    @property
    def channels(self) -> int:
        """1 grey, 3 colour, or one an input modality."""
        return self.load().shape[0]

    def load_valid(self) -> np.ndarray | None:
        """Where voxels may be compared (s, h, w), memory-mapped, or None for everywhere."""
        return None if self.valid is None else np.load(self.valid, mmap_mode="r")


@dataclass(frozen=True)
class TrainingData:
    """The two domains and the registered pairs (item of A, item of B on the same grid), some of them kept aside.

    ``pseudo_pairs`` are of different patients, laid on each other roughly, where there are no registered ones.
    """

    source: list[CachedItem]
    target: list[CachedItem]
    pairs: list[tuple[CachedItem, CachedItem]]
    aside: list[tuple[CachedItem, CachedItem]] = field(default_factory=list)
    pseudo_pairs: list[tuple[CachedItem, CachedItem]] = field(default_factory=list)

    def with_aside(self, count: int) -> TrainingData:
        """The same with the last ``count`` pairs kept aside, masked ones with their whole ones.

        Raises:
            InputError: where no pair would be left to learn from.
        """
        if not count:
            return self
        names = ["+".join(item.name.removesuffix(" (masked)") for item in pair) for pair in self.pairs]
        starts = [number for number, name in enumerate(names) if number == 0 or name != names[number - 1]]
        if count >= len(starts):
            raise InputError(f"hold_out_pairs is {count}, but there are {len(starts)} pairs, and one must be left.")
        return replace(self, pairs=self.pairs[: starts[-count]], aside=self.pairs[starts[-count] :])


def typical_landmarks(items: Sequence[CachedItem]) -> Landmarks:
    """Landmarks in the middle of a domain's training volumes: what a translation into it is scaled to."""
    kinds = {item.landmarks["kind"] for item in items}
    merged: dict[str, Any] = {"kind": kinds.pop()}
    for key, value in items[0].landmarks.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            merged[key] = float(np.median([item.landmarks[key] for item in items]))
        elif key != "kind":
            merged[key] = value
    return parse_landmarks(merged)
