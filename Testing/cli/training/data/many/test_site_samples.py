"""Samples of scans from many sites, each beside one of the reference."""

import numpy as np
import pytest
import torch

from training_cli.training.config import load_config
from training_cli.training.data.dataset import samples_of
from training_cli.training.data.items import CachedItem
from training_cli.training.data.many.sites import SiteData


@pytest.fixture
def data(tmp_path):
    """Five scans whose grey values say whose they are; the second site has one scan, the third three."""
    groups = []
    for number, site in enumerate(["north", "south", "east", "east", "east"]):
        array = np.full((1, 6, 40, 40), -1, np.float16)
        array[:, :, 8:32, 8:32] = number / 10
        valid = np.zeros((6, 40, 40), bool)
        valid[:, 12:28, 12:28] = True
        np.save(tmp_path / f"{number}.npy", array)
        np.save(tmp_path / f"{number}.valid.npy", valid)
        paths = tmp_path / f"{number}.npy", tmp_path / f"{number}.valid.npy"
        item = CachedItem(f"s{number}", paths[0], 1.0, np.arange(6), (8, 32, 8, 32), {"kind": "zscore"}, {}, paths[1])
        groups.append({site: item})
    items = [item for group in groups for item in group.values()]
    return SiteData(items, items[:1], [], names=("north", "south", "east"), groups=groups)


def config_with(**settings):
    domains = {"north": "n", "south": "s", "east": "e"}
    common = {"method": "many-to-one", "domains": domains, "reference": "north", "output": "r", "max_steps": 1}
    return load_config(None, common | {"patch_size": 32} | settings)


def test_samples_are_numbered_and_show_every_site_alike(data):
    samples = samples_of(data, config_with(augment=False, randomise="none"))
    counts = {1: 0, 2: 0}
    for number in range(60):
        sample = samples[number]
        shapes = {key: tuple(value.shape) for key, value in sample.items()}
        image = (1, 32, 32)
        assert shapes == {
            **{f"{key}{part}": image for key in "ab" for part in ("", "_clean", "_inside")},
            **{"site": (), "weight": image, "paired": ()},
        }
        site, brightest = int(sample["site"]), float(sample["a"].max())
        counts[site] += 1
        assert (brightest < 0.15) == (site == 1) and float(sample["b"].max()) == pytest.approx(0.0, abs=1e-3)
        assert torch.equal(sample["a"], sample["a_clean"]) and not sample["paired"] and not sample["weight"].any()
        assert sample["a_inside"].sum() == 256 and (sample["a_clean"][sample["a_inside"] > 0] > -1).all()
    assert min(counts.values()) > 15, "three scans are seen no oftener than one"
    again = samples_of(data, config_with(augment=False, randomise="none"))[7]
    assert all(torch.equal(value, samples[7][key]) for key, value in again.items())


def test_only_the_inputs_are_altered_and_the_inside_moves_along(data):
    samples = samples_of(data, config_with(stack=3, stack_spacing=1.0))
    altered = 0
    for number in range(12):
        sample = samples[number]
        assert sample["a"].shape == (3, 32, 32)
        altered += not torch.equal(sample["a"], sample["a_clean"])
        for key in "ab":
            clean, inside = sample[f"{key}_clean"][1], sample[f"{key}_inside"][0] > 0
            assert inside.any() and (clean[inside] > -0.5).all(), "what is inside lies on the square"
    assert altered > 6
