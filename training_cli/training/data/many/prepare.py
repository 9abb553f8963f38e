"""From a folder a domain to the cached groups of a training on many domains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.recognise.kinds import kind_of_domain, modality_of
from surgical_style_engine.volumes.recognise.verdict import Verdict, recognise
from surgical_style_engine.volumes.registration import NOTHING_COMMON, fits_better_than_displaced, register_rigid
from surgical_style_engine.volumes.volume import Volume, check_volume
from training_cli.training.config import TrainingConfig
from training_cli.training.config.method_settings import MultiDomainSettings
from training_cli.training.data.cache import Cache
from training_cli.training.data.files import training_files
from training_cli.training.data.grid import resampled_onto
from training_cli.training.data.items import CachedItem, TrainingData
from training_cli.training.data.odd_ones import odd_ones

from .groups import Files, groups_of

Report = Callable[[str], None]
FEWEST = 2  # volumes of a domain, or site
Group = dict[str, CachedItem]  # by domain, on one grid


@dataclass(frozen=True)
class GroupedData(TrainingData):
    """Volumes of several domains, or sites.

    Attributes:
        names: of the domains, in their order.
        groups: volumes that belong together, by their domain.
    """

    names: tuple[str, ...] = ()
    groups: list[Group] = field(default_factory=list)

    def items(self, domain: str) -> list[CachedItem]:
        """All volumes of a domain."""
        return [group[domain] for group in self.groups if domain in group]


@dataclass(frozen=True)
class ManyData(GroupedData):
    """Groups of volumes; ``source`` and ``target`` are those of the first two domains.

    Attributes:
        names: of the domains, in their order.
        groups: a patient's volumes on one grid, or a volume alone.
    """


def prepare_many(config: TrainingConfig, folder: Path, report: Report = lambda line: None) -> ManyData:
    """Preprocess every domain's volumes; what is already there is used again.

    Args:
        config: of the training.
        folder: of the cache.
        report: gets lines for the person watching.

    Raises:
        InputError: for folders that are missing or hold too little, naming the file at fault.
        StyleTransferError: where ``folder`` cannot be written.
    """
    folders = config.section(MultiDomainSettings).domains
    configs = {name: config_of(config, name, path) for name, path in folders.items()}
    files = {name: files_of(own, f"the domain {name}") for name, own in configs.items()}
    patients = groups_of(files, config.pairs, list(folders.values()), report)
    preparation = _Preparation(config, {name: Cache(folder, own) for name, own in configs.items()}, report)
    groups = [
        group for number, entry in enumerate(patients) for group in preparation.groups(entry, number, len(patients))
    ]
    data = ManyData([], [], [], names=tuple(folders), groups=groups)
    for name in folders:
        if not data.items(name):
            raise InputError(f"No slice with anything in it was found in the {name} folder {folders[name]}.")
        if wrong := next((item.name for item in data.items(name) if item.channels != 1), ""):
            raise InputError(f"{wrong} is in colour; the method multi-domain takes grey volumes.")
        for sentence in odd_ones(preparation.verdicts[name], name, name, configs[name].source_modality):
            report(f"Warning: {sentence}")
    paired = sum(len(group) > 1 for group in groups)
    report(f"{len(groups)} patients or volumes; of {paired} there are registered volumes of several domains.")
    first, second = data.names[:2]
    return replace(data, source=data.items(first), target=data.items(second))


def config_of(config: TrainingConfig, name: str, folder: Path) -> TrainingConfig:
    """The configuration as that of one domain, which is its source."""
    modality = modality_of(kind_of_domain(name, config.source_modality)) or config.source_modality
    return config.model_copy(update={"source": Path(folder), "source_name": name, "source_modality": modality})


def files_of(config: TrainingConfig, what: str) -> list[Path]:
    """The volumes of a domain, or site.

    Args:
        config: as that of the domain alone, see ``config_of``.
        what: names it in sentences.

    Raises:
        InputError: where the folder is missing, or holds less than FEWEST volumes.
    """
    if not config.source.is_dir():
        raise InputError(f"The folder {config.source} of {what} does not exist.")
    try:
        paths = training_files(config, "source")
    except InputError:  # whose sentence is on sources
        raise InputError(
            f"The folder {config.source} of {what} holds no image that matches '{config.pattern_source}'."
        ) from None
    if len(paths) < FEWEST:
        raise InputError(f"{what[:1].upper()}{what[1:]} has one volume ({paths[0].name}); {FEWEST} are the least.")
    return paths


class _Preparation:
    """Reads, registers and caches, telling ``report`` what it is at."""

    def __init__(self, config: TrainingConfig, caches: dict[str, Cache], report: Report) -> None:
        self.config, self.caches, self.report = config, caches, report
        self.verdicts: dict[str, list[tuple[str, Verdict]]] = {name: [] for name in caches}

    def groups(self, files: Files, number: int, count: int) -> list[Group]:
        """The volumes of a patient on the first one's grid; those that do not lie over it are alone."""
        (first, path), *others = files.items()
        self.report(f"{number + 1}/{count}: {', '.join(file.name for file in files.values())}")
        alone = self._item(first, path)
        groups: list[Group] = [{first: alone}]
        for domain, other in others:
            pair = self._beside(path, domain, other)
            if pair is None:
                groups.append({domain: self._item(domain, other)})
            else:
                groups[0][domain] = pair
        return [group for group in groups if len(body_of(group))]

    def _item(self, domain: str, path: Path) -> CachedItem:
        cache = self.caches[domain]
        key = cache.key("source", [path])
        item = cache.find(key)
        if item is None:
            volume = _read(path)
            self.verdicts[domain].append((path.name, recognise(volume)))
            item = cache.store(key, path.name, volume, "source")
        return item

    def _beside(self, first: Path, domain: str, path: Path) -> CachedItem | None:
        """Another volume of a patient on the first one's grid; None where it does not lie over it."""
        cache, register = self.caches[domain], self.config.register_pairs
        key = cache.key("source", [path, first], register=register)
        item = cache.find(key)
        if item is not None or cache.is_refused(key):
            return item
        fixed, moving = _read(first), _read(path)
        self.verdicts[domain].append((path.name, recognise(moving)))
        transform = None
        if register:
            result = register_rigid(fixed, moving)
            transform, fits = result.transform, result.found_common
        else:  # what is on one grid was registered; what is only of one session may have moved
            fits = fixed.same_grid(moving) or fits_better_than_displaced(fixed, moving, body_mask(fixed))
        if not fits:
            self.report(f"Warning: {path.name} does not lie over {first.name} ({NOTHING_COMMON}); it is taken alone.")
            cache.folder.mkdir(parents=True, exist_ok=True)
            cache.refuse(key)
            return None
        volume, valid = resampled_onto(fixed, moving, transform, f"{first.name} and {path.name}")
        return cache.store(key, path.name, volume, "source", valid=valid)


def body_of(group: Group) -> np.ndarray:
    """Numbers of the slices that every volume of a group has something in."""
    bodies = [item.body for item in group.values()]
    common = bodies[0]
    for body in bodies[1:]:
        common = np.intersect1d(common, body)
    return common


def _read(path: Path) -> Volume:
    volume = read_volume(path)
    check_volume(volume)
    return volume
