"""From folders of volumes to the cached items of a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.bias_field import flatten_bias
from surgical_style_engine.volumes.recognise.verdict import Verdict, recognise
from surgical_style_engine.volumes.registration import NOTHING_COMMON, register_rigid
from surgical_style_engine.volumes.volume import Volume, check_volume
from training_cli.pictures.overlay import save_overlay
from training_cli.training.config import TrainingConfig

from .cache import Cache
from .extra_sources import ExtraSources
from .files import Masks, read_pairs, training_files
from .grid import apply_mask, resampled_onto
from .items import CachedItem, TrainingData
from .odd_ones import odd_ones
from .pseudo_pairs import make_pseudo_pairs

Report = Callable[[str], None]


def prepare_data(config: TrainingConfig, folder: Path, report: Report = lambda line: None) -> TrainingData:
    """Preprocess both domains and the pairs; what is already there is used again.

    Args:
        config: of the training.
        folder: of the cache.
        report: gets lines for the person watching.

    Raises:
        InputError: for folders that are missing or hold nothing usable, naming the file at fault.
        StyleTransferError: where ``folder`` cannot be written.
    """
    # What is simply not there is told before anything is read or written.
    source, target = training_files(config, "source"), training_files(config, "target")
    extras = ExtraSources(config)
    source = extras.complete(source, report)
    pairs = [] if config.pairs is None else read_pairs(Path(config.pairs), (Path(config.source), Path(config.target)))
    cache = Cache(folder, config)
    preparation = _Preparation(config, cache, extras, report)
    data = TrainingData(
        preparation.domain("source", source), preparation.domain("target", target), preparation.pairs(pairs)
    )
    _check_channels(data)
    if config.asks_pseudo_pairs():
        data = replace(data, pseudo_pairs=make_pseudo_pairs(data, config, cache, report))
    return data.with_aside(config.hold_out_pairs)


class _Preparation:
    """Reads, registers, masks and caches, telling ``report`` what it is at."""

    def __init__(self, config: TrainingConfig, cache: Cache, extras: ExtraSources, report: Report) -> None:
        self.config, self.cache, self.extras, self.report = config, cache, extras, report
        self.verdicts: list[tuple[str, Verdict]] = []
        self.masks = Masks()

    def domain(self, side: str, paths: Sequence[Path]) -> list[CachedItem]:
        """The usable items of a domain's volumes, each also masked where there is a mask."""
        items = []
        self.verdicts = []
        for number, path in enumerate(paths):
            self.report(f"{side} {number + 1}/{len(paths)}: {path.name}")
            items += [item for item in self._items_of(path, side) if len(item.body)]
        if not items:
            raise InputError(
                f"No slice with anything in it was found in the {side} folder {getattr(self.config, side)}."
            )
        named = getattr(self.config, f"{side}_name"), getattr(self.config, f"{side}_modality")
        for sentence in odd_ones(self.verdicts, side, *named):
            self.report(f"Warning: {sentence}")
        return items

    def pairs(self, paths: Sequence[tuple[Path, Path]]) -> list[tuple[CachedItem, CachedItem]]:
        """The usable pairs on a common grid, each also masked where there is a mask."""
        pairs = []
        for number, (a, b) in enumerate(paths):
            self.report(f"pair {number + 1}/{len(paths)}: {a.name} + {b.name}")
            pairs += self._pair_items(a, b)
        if paths and not pairs:
            raise InputError(f"No usable pair was found in {self.config.pairs}.")
        return pairs

    def _items_of(self, path: Path, side: str) -> list[CachedItem]:
        extras = self.extras.of(path) if side == "source" else []
        mask_path = self.masks.find(path) if self.config.masks else None
        if self.config.masks and mask_path is None and self.masks.beside(path):
            self.report(f"without a mask, as none beside it has a fitting name: {path.name}")
        items = []
        for mask in [None] if mask_path is None else [None, mask_path]:
            key = self.cache.key(side, [path, *extras, *([mask] if mask else [])])
            item = self.cache.find(key)
            if item is None:
                volume = _read(path)
                if mask is None:
                    self.verdicts.append((path.name, recognise(volume)))
                volumes = _masked([volume, *self._read_extras(volume, path, extras)], mask)
                item = self.cache.store(key, _name(path, mask), volumes[0], side, extras=volumes[1:])
            items.append(item)
        return items

    def _pair_items(self, a: Path, b: Path) -> list[tuple[CachedItem, CachedItem]]:
        extras = self.extras.of(a)
        mask_path = self.masks.find(a) if self.config.masks else None
        how: dict[str, bool] = {"register": self.config.register_pairs}
        if self.config.flatten_pairs:
            how |= {"flatten_source": self.config.learns_both_ways(), "flatten_target": True}
        pairs = []
        laid: tuple[Volume, Volume, np.ndarray] | None = None
        for mask in [None] if mask_path is None else [None, mask_path]:
            more = [*extras, *([mask] if mask else [])]
            key_a = self.cache.key("source", [a, b, *more], **how)
            key_b = self.cache.key("target", [b, a, *more], **how)
            left, right = self.cache.find(key_a), self.cache.find(key_b)
            if left is None or right is None:
                laid = laid or self._laid(a, b)
                fixed, volume, valid = laid
                volumes = _masked([fixed, volume, *self._read_extras(fixed, a, extras)], mask)
                left = self.cache.store(key_a, _name(a, mask), volumes[0], "source", valid=valid, extras=volumes[2:])
                right = self.cache.store(key_b, _name(b, mask), volumes[1], "target", valid=valid)
            # Where the target's field of view has ended there is nothing to compare, nor to show a network.
            body = np.intersect1d(left.body, right.body)
            if len(body):
                pairs.append((replace(left, body=body), right))
        return pairs

    def _laid(self, a: Path, b: Path) -> tuple[Volume, Volume, np.ndarray]:
        """Both volumes on the first one's grid, without their fields if asked for, and where both are (z, y, x)."""
        fixed = _read(a)
        moved, valid = self._on_grid_of(fixed, _read(b), a, b)
        if self.config.flatten_pairs:
            moved = _flattened(moved, b)
            if self.config.learns_both_ways():
                fixed = _flattened(fixed, a)  # it is what the way back teaches
        return fixed, moved, valid

    def _on_grid_of(self, fixed: Volume, moving: Volume, a: Path, b: Path) -> tuple[Volume, np.ndarray]:
        """The moving volume on the fixed one's grid, and where its field of view covers it (z, y, x)."""
        if self.config.register_pairs:
            transform = self._registered(fixed, moving, a, b)
        elif fixed.same_grid(moving):
            return moving, np.ones(fixed.array.shape[1:], bool)
        else:
            transform = None
        return resampled_onto(fixed, moving, transform, f"{a.name} and {b.name}")

    def _registered(self, fixed: Volume, moving: Volume, a: Path, b: Path) -> sitk.Transform:
        """The rigid transform; a picture of it goes into the run folder."""
        result = register_rigid(fixed, moving)
        picture = f"{a.name.split('.')[0]}+{b.name.split('.')[0]}.png"
        if not result.found_common:
            self.report(f"Warning: {b.name} on {a.name}: {NOTHING_COMMON}; look at pairs/{picture}.")
        save_overlay(fixed, result.moved, self.cache.folder.parent / "pairs" / picture)
        return result.transform

    def _read_extras(self, fixed: Volume, path: Path, extras: Sequence[Path]) -> list[Volume]:
        """The further modalities of a source volume on its grid: registered with ``register_pairs``, else as scanned.

        Raises InputError for colour and for what does not overlap.
        """
        volumes = []
        for extra in extras:
            moving = _read(extra)
            for name, volume in ((path.name, fixed), (extra.name, moving)):
                if volume.channels != 1:
                    raise InputError(f"{name} is in colour; several inputs must be grey.")
            volumes.append(self._on_grid_of(fixed, moving, path, extra)[0])
        return volumes


def _flattened(volume: Volume, path: Path) -> Volume:
    """Without its bias field; InputError names the file."""
    try:
        return flatten_bias(volume)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None


def _masked(volumes: list[Volume], mask: Path | None) -> list[Volume]:
    if mask is None:
        return volumes
    inside = read_volume(mask)
    return [apply_mask(volume, inside) for volume in volumes]


def _name(path: Path, mask: Path | None) -> str:
    return path.name + (" (masked)" if mask else "")


def _read(path: Path) -> Volume:
    volume = read_volume(path)
    check_volume(volume)
    return volume


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
