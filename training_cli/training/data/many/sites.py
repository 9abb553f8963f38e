"""From a folder a site to the cached scans of a training that brings all of them into the look of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.harmonise.harmonise import brain_alone
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.bias_field import flatten_bias
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.recognise.verdict import Verdict, recognise
from surgical_style_engine.volumes.tissues.brain import find_brain
from surgical_style_engine.volumes.volume import Volume, check_volume
from training_cli.training.config import TrainingConfig
from training_cli.training.config.method_settings import ManyToOneSettings
from training_cli.training.data.cache import Cache
from training_cli.training.data.items import CachedItem
from training_cli.training.data.odd_ones import odd_ones

from .prepare import FEWEST, Group, GroupedData, Report, config_of, files_of


@dataclass(frozen=True)
class SiteData(GroupedData):
    """Scans of one contrast from many sites; ``source`` are all of them, ``target`` those of the reference.

    An item's ``valid`` says where its grey values are compared with the reference's: in the brain.

    Attributes:
        names: of the sites, the reference first.
        groups: a scan each, by its site.
    """


def prepare_sites(config: TrainingConfig, folder: Path, report: Report = lambda line: None) -> SiteData:
    """Preprocess every site's scans; what is already there is used again.

    Args:
        config: of the training.
        folder: of the cache.
        report: gets lines for the person watching.

    Raises:
        InputError: for folders that are missing or hold too little, naming the file at fault.
        StyleTransferError: where ``folder`` cannot be written.
    """
    settings = config.section(ManyToOneSettings)
    sites = sorted(settings.domains, key=lambda site: site != settings.reference)
    configs = {site: config_of(config, config.source_name, settings.domains[site]) for site in sites}
    files = _files(configs)
    verdicts: list[tuple[str, Verdict]] = []
    groups: list[Group] = []
    count = sum(map(len, files.values()))
    for site, paths in files.items():
        cache = Cache(folder, configs[site])
        for path in paths:
            report(f"{len(groups) + 1}/{count}: {site}, {path.name}")
            groups.append({site: _item(cache, path, verdicts)})
    for sentence in odd_ones(verdicts, "source", config.source_name, config.source_modality):
        report(f"Warning: {sentence}")
    groups = [group for group in groups if all(len(item.body) for item in group.values())]
    every = [item for group in groups for item in group.values()]
    data = SiteData(every, [], [], names=tuple(sites), groups=groups)
    for site in sites:
        if len(data.items(site)) < FEWEST:
            raise InputError(f"The site {site} has fewer than {FEWEST} volumes with anything in them.")
    return replace(data, target=data.items(sites[0]))


def _files(configs: Mapping[str, TrainingConfig]) -> dict[str, list[Path]]:
    """The scans of each site; checked before anything is read or written."""
    files: dict[str, list[Path]] = {}
    site_of: dict[Path, str] = {}
    for site, config in configs.items():
        files[site] = files_of(config, f"the site {site}")
        for path in files[site]:
            other = site_of.setdefault(path.resolve(), site)
            if other != site:
                raise InputError(f"{path} belongs to two sites, {other} and {site}.")
    return files


def _item(cache: Cache, path: Path, verdicts: list[tuple[str, Verdict]]) -> CachedItem:
    """A scan as it is cached; what is read anew is recognised, too."""
    key = cache.key("source", [path], inside="brain")
    item = cache.find(key)
    if item is not None:
        return item
    volume = read_volume(path)
    check_volume(volume)
    if volume.channels != 1:
        raise InputError(f"{path.name} is in colour; the method many-to-one takes grey volumes.")
    verdict = recognise(volume)
    verdicts.append((path.name, verdict))
    return cache.store(key, path.name, volume, "source", valid=inside_of(volume, verdict))


def inside_of(volume: Volume, verdict: Verdict) -> np.ndarray:
    """Where scans of a head with and without skull show the same: in the brain; the body where none is found.

    Args:
        volume: scalar.
        verdict: the recogniser's.

    Returns:
        Bool (z, y, x).
    """
    body = body_mask(volume)
    try:
        return find_brain(flatten_bias(volume, body), body, brain_alone(verdict, volume))
    except InputError:
        return body
