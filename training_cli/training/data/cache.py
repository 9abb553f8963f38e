"""Volumes preprocessed once into memory-mapped arrays that every worker and every process shares.

Each training item is one folder-less file, ``<digest>.npy`` of shape (c, s, h, w) float16, normalised to [-1, 1], in
the plane and at the in-plane spacing of the model, next to ``<digest>.json`` with landmarks, slice distance, the slices
that hold body, and the body's box. Files are whole or absent, so a crash leaves no half item.
"""

from __future__ import annotations

import csv
import fnmatch
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.dicom.read import DICOM_ENDINGS
from surgical_style_engine.imageio.volume_io import ending_of, is_volume_file, list_volumes, read_volume
from surgical_style_engine.volumes import geometry, slices
from surgical_style_engine.volumes.normalization import parse_landmarks, parse_normalization
from surgical_style_engine.volumes.volume import Volume, check_volume
from training_cli.cohort.matching import fitting, stem
from training_cli.training.config import TrainingConfig

from .extra_sources import ExtraSources, extra_normalization

CACHE_VERSION = 4
BODY_LEVEL = -0.9  # normalised intensity above which a voxel counts as body
MASK_ENDINGS = ("_brainmask", "_mask")  # of file names, before the format's ending


@dataclass(frozen=True)
class CachedItem:
    """One preprocessed volume, or one side of a registered pair.

    ``valid`` is the path of a boolean array of the same (s, h, w), or None where every voxel may be compared.
    """

    name: str
    path: Path
    slice_mm: float
    body: np.ndarray  # indices of the slices worth training on
    box: tuple[int, int, int, int]  # body's box in plane: top, bottom, left, right
    landmarks: dict
    raw_statistics: dict
    valid: Path | None = None
    inputs: tuple[dict, ...] = ()  # landmarks of each channel where they are different modalities

    def load(self) -> np.ndarray:
        """The array (c, s, h, w), memory-mapped."""
        return np.load(self.path, mmap_mode="r")

    @property
    def channels(self) -> int:
        return self.load().shape[0]

    def load_valid(self) -> np.ndarray | None:
        return None if self.valid is None else np.load(self.valid, mmap_mode="r")


@dataclass(frozen=True)
class TrainingData:
    """The two domains and the registered pairs (item of A, item of B on the same grid)."""

    source: list[CachedItem]
    target: list[CachedItem]
    pairs: list[tuple[CachedItem, CachedItem]]


def domain_normalization(config: TrainingConfig, side: str, volume: Volume):
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


def prepare_data(
    config: TrainingConfig, folder: Path, report: Callable[[str], None] = lambda line: None
) -> TrainingData:
    """Preprocess both domains and the pairs into ``folder``; what is already there is used again.

    Raises InputError for folders that are missing or hold nothing usable, naming the file at fault, and
    StyleTransferError where ``folder`` cannot be written.
    """
    # What is simply not there is told before anything is read or written.
    files = {side: training_files(config, side) for side in ("source", "target")}
    extras = ExtraSources(config)
    files["source"] = extras.complete(files["source"], report)
    listed = [] if config.pairs is None else read_pairs(Path(config.pairs), (Path(config.source), Path(config.target)))
    domains = {}
    for side, paths in files.items():
        items = []
        for number, path in enumerate(paths):
            report(f"{side} {number + 1}/{len(paths)}: {path.name}")
            items += _items_of(path, config, side, folder, extras.of(path) if side == "source" else [], report)
        items = [item for item in items if len(item.body)]
        if not items:
            raise InputError(f"No slice with anything in it was found in the {side} folder {getattr(config, side)}.")
        domains[side] = items
    pairs = []
    for number, (a, b) in enumerate(listed):
        report(f"pair {number + 1}/{len(listed)}: {a.name} + {b.name}")
        pairs += _pair_items(a, b, config, folder, extras.of(a), report)
    if listed and not pairs:
        raise InputError(f"No usable pair was found in {config.pairs}.")
    data = TrainingData(domains["source"], domains["target"], pairs)
    _check_channels(data)
    return data


def _check_channels(data: TrainingData) -> None:
    """Raise InputError where grey and colour images are mixed within a domain."""
    for first, items in (
        (data.source[0], [*data.source, *(a for a, _ in data.pairs)]),
        (data.target[0], [*data.target, *(b for _, b in data.pairs)]),
    ):
        for item in items:
            if [entry["kind"] for entry in item.inputs] != [entry["kind"] for entry in first.inputs]:
                raise InputError(f"The inputs of {item.name} are of other kinds (CT, MR) than those of {first.name}.")
            if item.channels != first.channels:
                kinds = {1: "grey", 3: "colour"}
                raise InputError(
                    f"{item.name} is {kinds[item.channels]}, but {first.name} of the same domain is "
                    f"{kinds[first.channels]}."
                )


def read_pairs(path: Path, roots: tuple[Path, ...] = ()) -> list[tuple[Path, Path]]:
    """Pairs of files from a CSV or a folder.

    A CSV has source,target a line, relative to the CSV's folder or to one of ``roots`` (the domains' folders). A
    folder has the two subfolders source/ and target/, with files of equal names.
    """
    if path.is_dir():
        left, right = path / "source", path / "target"
        if not (left.is_dir() and right.is_dir()):
            raise InputError(f"The pairs folder {path} needs the two subfolders source and target.")
        pairs = [(p, right / p.name) for p in list_volumes(left) if (right / p.name).exists()]
    elif path.is_file():
        try:
            with path.open(newline="", encoding="utf-8") as stream:
                rows = [row for row in csv.reader(stream) if row and not row[0].lstrip().startswith("#")]
        except (OSError, UnicodeDecodeError, csv.Error):
            raise InputError(f"The pairs list {path} cannot be read as CSV.") from None
        if any(len(row) != 2 for row in rows):
            raise InputError(f"The pairs list {path} needs exactly two columns, source and target.")
        rows = [row for row in rows if [cell.strip().lower() for cell in row] != ["source", "target"]]
        places = (path.parent, *roots)
        pairs = [(_find(a.strip(), places), _find(b.strip(), places)) for a, b in rows]
    else:
        raise InputError(f"The pairs {path} do not exist.")
    if not pairs:
        raise InputError(f"The pairs {path} name no pair.")
    return pairs


def _find(name: str, places: tuple[Path, ...]) -> Path:
    for place in places:
        if (place / name).exists():
            return place / name
    raise InputError(f"The pair's file {name} does not exist.")


def training_files(config: TrainingConfig, side: str) -> list[Path]:
    """The volumes of a domain, also in subfolders: a path each, which for a DICOM series is its folder.

    Nothing of the run folder counts (its samples are pictures), nor do masks where ``masks`` makes use of them.
    """
    folder, pattern = Path(getattr(config, side)), getattr(config, f"pattern_{side}")
    if not folder.is_dir():
        raise InputError(f"The {side} folder {folder} does not exist.")
    excluded = [part.strip() for part in config.exclude.split(",") if part.strip()]
    run = Path(config.output).resolve()
    found: dict[Path, None] = {}
    for path in sorted(folder.rglob("*")):
        if run in path.resolve().parents or not is_volume_file(path) or (config.masks and is_mask_name(path)):
            continue
        image = path.parent if ending_of(path) in DICOM_ENDINGS else path
        if fnmatch.fnmatch(image.name, pattern) and not any(part in image.name for part in excluded):
            found[image] = None
    if not found:
        raise InputError(f"No {side} image matches '{pattern}' in {folder}.")
    return list(found)


def is_mask_name(path: Path) -> bool:
    return path.name.split(".")[0].endswith(MASK_ENDINGS)


def find_mask(path: Path) -> Path | None:
    """The mask beside a volume: p1_mask.nii.gz or p1_brainmask.nii.gz for p1.nii.gz and for p1_T1.nii.gz; or None."""
    beside = _masks_beside(path)
    # Its whole name and a word: that is of this volume, even where the name says nothing of a patient.
    own = [other for other in beside if stem(other) in [stem(path) + ending for ending in MASK_ENDINGS]]
    return min(own or fitting(path, beside, "mask"), default=None)


def _masks_beside(path: Path) -> list[Path]:
    return [other for other in path.parent.iterdir() if is_mask_name(other) and is_volume_file(other)]


def _items_of(
    path: Path, config: TrainingConfig, side: str, folder: Path, extras: list[Path], report: Callable[[str], None]
) -> list[CachedItem]:
    settings = _settings(config, side)
    mask_path = find_mask(path) if config.masks else None
    if config.masks and mask_path is None and _masks_beside(path):
        report(f"without a mask, as none beside it has a fitting name: {path.name}")
    items = []
    for masked in (False, True) if mask_path else (False,):
        key = _digest(settings, [path, *extras, mask_path] if masked else [path, *extras])
        item = _cached(folder, key)
        if item is None:
            volume = _read(path)
            others = read_extras(volume, path, extras, config, folder, report)
            if masked:
                mask = read_volume(mask_path)
                volume, others = apply_mask(volume, mask), [apply_mask(other, mask) for other in others]
            name = path.name + (" (masked)" if masked else "")
            item = _store(folder, key, name, volume, config, side, others=others)
        items.append(item)
    return items


def _pair_items(
    a: Path, b: Path, config: TrainingConfig, folder: Path, extras: list[Path], report: Callable[[str], None]
) -> list[tuple[CachedItem, CachedItem]]:
    mask_path = find_mask(a) if config.masks else None
    pairs = []
    moved = None
    for masked in (False, True) if mask_path else (False,):
        extra = [*extras, mask_path] if masked else extras
        key = _digest({**_settings(config, "source"), "register": config.register_pairs}, [a, b, *extra])
        other = _digest({**_settings(config, "target"), "register": config.register_pairs}, [b, a, *extra])
        left, right = _cached(folder, key), _cached(folder, other)
        if left is None or right is None:
            fixed = _read(a)
            if moved is None:
                moved = _on_grid_of(fixed, _read(b), a, b, config, folder, report)
            volume, valid = moved
            others = read_extras(fixed, a, extras, config, folder, report)
            if masked:
                mask = read_volume(mask_path)
                fixed, volume = apply_mask(fixed, mask), apply_mask(volume, mask)
                others = [apply_mask(other, mask) for other in others]
            ending = " (masked)" if masked else ""
            left = _store(folder, key, a.name + ending, fixed, config, "source", valid, others)
            right = _store(folder, other, b.name + ending, volume, config, "target", valid)
        # Where the target's field of view has ended there is nothing to compare, nor to show a network.
        body = np.intersect1d(left.body, right.body)
        if len(body):
            pairs.append((replace(left, body=body), right))
    return pairs


def _on_grid_of(
    fixed: Volume, moving: Volume, a: Path, b: Path, config: TrainingConfig, folder: Path, report: Callable[[str], None]
) -> tuple[Volume, np.ndarray]:
    """The moving volume on the fixed one's grid, and where its field of view covers it (z, y, x)."""
    transform = None
    if config.register_pairs:
        from surgical_style_engine.volumes.registration import NOTHING_COMMON, register_rigid

        result = register_rigid(fixed, moving)
        transform = result.transform
        from training_cli.pictures.overlay import save_overlay

        picture = f"{a.name.split('.')[0]}+{b.name.split('.')[0]}.png"
        if not result.found_common:
            report(f"Warning: {b.name} on {a.name}: {NOTHING_COMMON}; look at pairs/{picture}.")
        save_overlay(fixed, result.moved, folder.parent / "pairs" / picture)
    elif fixed.same_grid(moving):
        return moving, np.ones(fixed.array.shape[1:], bool)
    ones = moving.with_array(np.ones((1, *moving.array.shape[1:]), np.float32))
    covered = geometry.resample_like(ones, fixed, default=0.0, transform=transform).array[0] > 0.99
    if covered.mean() < 0.1:
        raise InputError(f"The pair {a.name} and {b.name} hardly overlap; register them first.")
    # Not the minimum: a single voxel far below (interpolation overshoots) would become the background around the field
    # of view, and the volume would be normalised from there.
    background = float(np.percentile(moving.array, 0.1))
    return geometry.resample_like(moving, fixed, default=background, transform=transform), covered


def read_extras(
    fixed: Volume, path: Path, extras: list[Path], config: TrainingConfig, folder: Path, report: Callable[[str], None]
) -> list[Volume]:
    """The further modalities of a source volume on its grid: registered with ``register_pairs``, else as scanned.

    Raises InputError for colour and for what does not overlap.
    """
    found = []
    for extra in extras:
        moving = _read(extra)
        for name, volume in ((path.name, fixed), (extra.name, moving)):
            if volume.channels != 1:
                raise InputError(f"{name} is in colour; several inputs must be grey.")
        found.append(_on_grid_of(fixed, moving, path, extra, config, folder, report)[0])
    return found


def apply_mask(volume: Volume, mask: Volume) -> Volume:
    """The volume with everything outside the mask (any grid) set to zero, as brain extraction leaves it."""
    inside = geometry.resample_like(mask, volume, interpolation="nearest", default=0).array[:1] > 0
    if not inside.any():
        raise InputError("A mask does not overlap its volume.")
    return volume.with_array(np.where(inside, volume.array, 0).astype(volume.array.dtype))


def _read(path: Path) -> Volume:
    volume = read_volume(path)
    check_volume(volume)
    return volume


def _settings(config: TrainingConfig, side: str) -> dict:
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


def _digest(settings: dict, paths: list[Path]) -> str:
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    stamps = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps([settings, stamps]).encode()).hexdigest()[:24]


def _cached(folder: Path, key: str) -> CachedItem | None:
    """The finished item, or None; the JSON is written last, so its presence means the arrays are whole."""
    try:
        info = json.loads((folder / f"{key}.json").read_text())
    except (OSError, ValueError):
        return None
    array = folder / f"{key}.npy"
    if not array.exists():
        return None
    valid = folder / f"{key}.valid.npy"
    return CachedItem(
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


def _store(folder, key, name, volume, config, side, valid: np.ndarray | None = None, others=()) -> CachedItem:
    spec = domain_normalization(config, side, volume)
    landmarks = spec.fit(volume.array)
    array = to_model_grid(volume, config, landmarks)
    marks = [landmarks]
    for other in others:
        marks.append(extra_normalization(config, other).fit(other.array))
        array = np.concatenate([array, to_model_grid(other, config, marks[-1])])
    slice_mm = 1.0 if volume.is_2d else _slice_mm(volume, config)
    occupied = array.max(axis=0) > BODY_LEVEL
    usable = slices.body_slices(array) & (occupied.mean(axis=(1, 2)) >= config.min_body_fraction)
    raw = volume.array[np.isfinite(volume.array)]
    info = {
        "name": name,
        "slice_mm": slice_mm,
        "body": np.flatnonzero(usable).tolist(),
        "box": _box(occupied),
        "landmarks": landmarks.model_dump(mode="json"),
        "raw_statistics": {f"p{q}": float(np.percentile(raw[:: max(1, raw.size // 200_000)], q)) for q in (1, 50, 99)},
        "has_valid": valid is not None,
        "inputs": [entry.model_dump(mode="json") for entry in marks] if others else [],
    }
    try:
        _write_array(folder / f"{key}.npy", array.astype(np.float16))
        if valid is not None:
            on_grid = to_model_grid(volume.with_array(valid[None].astype(np.float32)), config, None)[0] > 0.99
            _write_array(folder / f"{key}.valid.npy", on_grid)
        with replacing(folder / f"{key}.json") as temporary:
            temporary.write_text(json.dumps(info))
    except OSError as error:
        reason = error.strerror or error
        raise StyleTransferError(f"The training cache cannot be written to {folder}: {reason}.") from None
    return _cached(folder, key)


def to_model_grid(volume: Volume, config: TrainingConfig, landmarks) -> np.ndarray:
    """(c, s, h, w) float32 in the training plane at the training spacing, normalised if landmarks are given.

    Pictures have no spacing: their short side becomes ``picture_zoom`` patches, a little more than one by default.
    """
    canonical, _ = geometry.to_canonical(volume) if not volume.is_2d else (volume, None)
    array = canonical.array if volume.is_2d else geometry.plane_first(canonical.array, config.plane)
    array = array.astype(np.float32)
    if landmarks is not None:
        array = landmarks.forward(array)
    h, w = array.shape[-2:]
    if volume.is_2d:
        factor = config.picture_zoom * config.patch_size / min(h, w)
        size = (max(1, round(h * factor)), max(1, round(w * factor)))
    else:
        _, h_mm, w_mm = geometry.plane_spacing(canonical.spacing, config.plane)
        size = geometry.model_size((h, w), (h_mm, w_mm), config.spacing)
    return array if size == (h, w) else geometry.resize_in_plane(array, size)


def _slice_mm(volume: Volume, config: TrainingConfig) -> float:
    canonical, _ = geometry.to_canonical(volume)
    return float(geometry.plane_spacing(canonical.spacing, config.plane)[0])


def _box(occupied: np.ndarray) -> list[int]:
    """Box of the body in plane over all slices (s, h, w); the whole plane where nothing stands out."""
    rows, columns = np.flatnonzero(occupied.any(axis=(0, 2))), np.flatnonzero(occupied.any(axis=(0, 1)))
    if not len(rows) or not len(columns):
        return [0, occupied.shape[1], 0, occupied.shape[2]]
    return [int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1]


def _write_array(path: Path, array: np.ndarray) -> None:
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array)


def typical_landmarks(items: list[CachedItem]):
    """Landmarks in the middle of a domain's training volumes: what a translation into it is scaled to."""
    kinds = {item.landmarks["kind"] for item in items}
    merged: dict = {"kind": kinds.pop()}
    for field, value in items[0].landmarks.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            merged[field] = float(np.median([item.landmarks[field] for item in items]))
        elif field != "kind":
            merged[field] = value
    return parse_landmarks(merged)
