"""Volumes preprocessed once into memory-mapped arrays that every worker and every process shares.

Each training item is one folder-less file, ``<digest>.npy`` of shape (c, s, h, w) float16, normalised to [-1, 1], in
the plane and at the in-plane spacing of the model, next to ``<digest>.json`` with landmarks, slice distance, the slices
that hold body, and the body's box. Files are whole or absent, so a crash leaves no half item.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.common.thresholds import BODY_FROM
from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.volumes import slices
from surgical_style_engine.volumes.normalization import Normalization, parse_normalization
from surgical_style_engine.volumes.volume import Volume
from training_cli.training.config import TrainingConfig

from .extra_sources import extra_normalization
from .grid import slice_distance, to_model_grid
from .items import CachedItem

CACHE_VERSION = 4


class Cache:
    """The folder of preprocessed items.

    Args:
        folder: of the run; made when the first item is stored.
        config: of the training.
    """

    def __init__(self, folder: Path, config: TrainingConfig) -> None:
        self.folder, self.config = folder, config

    def key(self, side: str, files: Sequence[Path], **more: Any) -> str:
        """The digest of everything that an item depends on: settings, and name, size and time of its files."""
        return _digest({**_settings(self.config, side), **more}, files)

    def find(self, key: str) -> CachedItem | None:
        """The finished item, or None; the JSON is written last, so its presence means the arrays were whole.

        What a disk or a person has damaged since then is made anew.
        """
        array, valid = self.folder / f"{key}.npy", self.folder / f"{key}.valid.npy"
        try:
            info = json.loads((self.folder / f"{key}.json").read_text())
            item = CachedItem(
                info["name"],
                array,
                info["slice_mm"],
                np.asarray(info["body"], int),
                tuple(info["box"]),
                info["landmarks"],
                info["raw_statistics"],
                valid if info["has_valid"] else None,
                tuple(info["inputs"]),
            )
            shape = item.load().shape
            comparable = item.load_valid()
        except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError):
            return None
        fits = len(shape) == 4 and (comparable is None or comparable.shape == shape[1:])
        return item if fits and (len(item.body) == 0 or item.body.max() < shape[1]) else None

    def store(
        self,
        key: str,
        name: str,
        volume: Volume,
        side: str,
        *,
        valid: np.ndarray | None = None,
        extras: Sequence[Volume] = (),
    ) -> CachedItem:
        """Preprocess a volume and keep it.

        Args:
            key: of ``key()``.
            name: for people.
            volume: as read.
            side: "source" or "target", by which it is normalised.
            valid: where it may be compared with the other of its pair (z, y, x).
            extras: further modalities on the same grid, which become further channels.

        Raises:
            StyleTransferError: where the folder cannot be written.
        """
        landmarks = domain_normalization(self.config, side, volume).fit(volume.array)
        array, marks = to_model_grid(volume, self.config, landmarks), [landmarks]
        for extra in extras:
            marks.append(extra_normalization(self.config, extra).fit(extra.array))
            array = np.concatenate([array, to_model_grid(extra, self.config, marks[-1])])
        info = {
            "name": name,
            "slice_mm": slice_distance(volume, self.config),
            **describe_body(array, self.config.min_body_fraction),
            "landmarks": landmarks.model_dump(mode="json"),
            "raw_statistics": raw_statistics(volume.array),
            "has_valid": valid is not None,
            "inputs": [entry.model_dump(mode="json") for entry in marks] if extras else [],
        }
        comparable = None
        if valid is not None:
            mask = volume.with_array(valid[None].astype(np.float32))
            comparable = to_model_grid(mask, self.config, None)[0] > 0.99
        return self._write(key, info, array, comparable)

    def store_moved(
        self, key: str, item: CachedItem, name: str, array: np.ndarray, valid: np.ndarray, slice_mm: float
    ) -> CachedItem:
        """Keep an item's volume as it was laid on the grid of another.

        Args:
            key: of its own.
            item: the volume where it was.
            name: for people.
            array: (c, s, h, w) in [-1, 1].
            valid: where it may be compared with the other (s, h, w).
            slice_mm: distance of the slices.

        Raises:
            StyleTransferError: where the folder cannot be written.
        """
        info = {
            "name": name,
            "slice_mm": slice_mm,
            **describe_body(array, self.config.min_body_fraction),
            "landmarks": item.landmarks,
            "raw_statistics": item.raw_statistics,
            "has_valid": True,
            "inputs": list(item.inputs),
        }
        return self._write(key, info, array, valid)

    def refuse(self, key: str) -> None:
        """Remember that an item cannot be made."""
        with contextlib.suppress(OSError):
            (self.folder / f"{key}.refused").touch()

    def is_refused(self, key: str) -> bool:
        """Whether ``refuse`` was called for it."""
        return (self.folder / f"{key}.refused").exists()

    def _write(self, key: str, info: dict[str, Any], array: np.ndarray, valid: np.ndarray | None) -> CachedItem:
        try:
            _write_array(self.folder / f"{key}.npy", array.astype(np.float16))
            if valid is not None:
                _write_array(self.folder / f"{key}.valid.npy", valid)
            with replacing(self.folder / f"{key}.json") as temporary:
                temporary.write_text(json.dumps(info))
        except OSError as error:
            reason = error.strerror or error
            raise StyleTransferError(f"The training cache cannot be written to {self.folder}: {reason}.") from None
        item = self.find(key)
        if item is None:
            raise StyleTransferError(f"The training cache in {self.folder} was removed while it was written.")
        return item


def domain_normalization(config: TrainingConfig, side: str, volume: Volume) -> Normalization:
    """The normalisation of a domain; ``auto`` looks at colour, modality and the presence of negative HU."""
    kind = getattr(config, f"{side}_normalization")
    if kind == "auto":
        if volume.array.shape[0] == 3:
            kind = "rgb"
        elif getattr(config, f"{side}_modality").upper() == "CT":
            kind = "hu_window"
        else:
            kind = "robust_percentile"
    if kind == "hu_window":
        return parse_normalization({"kind": kind, "lower": config.hu_lower, "upper": config.hu_upper})
    return parse_normalization({"kind": kind})


def describe_body(array: np.ndarray, least: float) -> dict[str, Any]:
    """The slices worth training on, and the body's box.

    Args:
        array: (c, s, h, w) in [-1, 1].
        least: share of a slice that must be body.

    Returns:
        "body", numbers of slices, and "box", [top, bottom, left, right].
    """
    occupied = array.max(axis=0) > BODY_FROM
    usable = slices.body_slices(array) & (occupied.mean(axis=(1, 2)) >= least)
    return {"body": np.flatnonzero(usable).tolist(), "box": _box(occupied)}


def raw_statistics(array: np.ndarray) -> dict[str, float]:
    """The 1st, 50th and 99th percentile of the finite values of an array, in its units."""
    raw = array[np.isfinite(array)]
    return {f"p{q}": float(np.percentile(raw[:: max(1, raw.size // 200_000)], q)) for q in (1, 50, 99)}


def _box(occupied: np.ndarray) -> list[int]:
    """Box of the body in plane over all slices (s, h, w); the whole plane where nothing stands out."""
    rows, columns = np.flatnonzero(occupied.any(axis=(0, 2))), np.flatnonzero(occupied.any(axis=(0, 1)))
    if not len(rows) or not len(columns):
        return [0, occupied.shape[1], 0, occupied.shape[2]]
    return [int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1]


def _settings(config: TrainingConfig, side: str) -> dict[str, Any]:
    return {
        "version": CACHE_VERSION,
        "side": side,
        "spacing": config.spacing,
        "plane": config.plane,
        "normalization": getattr(config, f"{side}_normalization"),
        "modality": getattr(config, f"{side}_modality"),
        "hu": [config.hu_lower, config.hu_upper],
        "body": config.min_body_fraction,
        "patch": config.patch_size,
        "zoom": config.picture_zoom,
    }


def _digest(settings: dict[str, Any], paths: Sequence[Path]) -> str:
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    stamps = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps([settings, stamps]).encode()).hexdigest()[:24]


def _write_array(path: Path, array: np.ndarray) -> None:
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array)
