"""Which volumes are laid on which, what is kept, and when nothing is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from training_cli.training.config import load_config
from training_cli.training.data.dataset import SampleByNumber
from training_cli.training.data.items import CachedItem
from training_cli.training.data.prepare import prepare_data
from training_cli.training.data.pseudo_pairs import MOST, PARTNERS, planned

from .test_between_patients import head

LANDMARKS = {"kind": "robust_percentile"}


@pytest.fixture
def heads(tmp_path: Path) -> dict:
    """Settings of a training on heads of different patients: two of the source, two of the target."""
    for side, entries in (("source", {"a": 1.0, "b": 0.93}), ("target", {"c": 0.96, "d": 1.04})):
        (tmp_path / side).mkdir()
        for name, scale in entries.items():
            values = head(scale, (2, -2, 1), inverted=side == "target") + 1
            image = sitk.GetImageFromArray((500 * values).astype(np.float32))
            image.SetSpacing((2.0, 2.0, 3.0))
            sitk.WriteImage(image, str(tmp_path / side / f"{name}.nii.gz"))
    more = {"pseudo_pairs": "auto", "spacing": 2.0, "patch_size": 64, "max_steps": 2, "device": "cpu", "augment": False}
    return {"source": tmp_path / "source", "target": tmp_path / "target", "output": tmp_path / "run", **more}


def test_targets_are_laid_on_sources_and_kept(heads, tmp_path):
    config, said = load_config(None, heads), []
    data = prepare_data(config, tmp_path / "cache", said.append)
    assert data.pairs == [] and len(data.pseudo_pairs) == 4
    assert [(a.name, b.name.split()[0]) for a, b in data.pseudo_pairs][:2] == [
        ("a.nii.gz", "c.nii.gz"),
        ("a.nii.gz", "d.nii.gz"),
    ]
    assert any("4 of 4 pseudo-pairs fit" in line and "minutes" in line for line in said)
    for a, b in data.pseudo_pairs:
        source, moved, valid = a.load()[0].astype(float), b.load()[0].astype(float), b.load_valid()
        assert source.shape == moved.shape == valid.shape
        # The contrasts are inverted: where one is dark, the other is bright.
        assert np.corrcoef(source[valid], moved[valid])[0, 1] < -0.6
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").iterdir()}
    again = prepare_data(config, tmp_path / "cache")
    assert [b.path for _, b in again.pseudo_pairs] == [b.path for _, b in data.pseudo_pairs]
    assert stamps == {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").iterdir()}


def test_samples_say_that_their_pairs_are_rough(heads, tmp_path):
    data = prepare_data(load_config(None, heads), tmp_path / "cache")
    samples = SampleByNumber(data, load_config(None, heads | {"pairs_fraction": 0.5}))
    drawn = [samples[number] for number in range(12)]
    assert all(bool(sample["rough"]) for sample in drawn)
    assert {bool(sample["paired"]) for sample in drawn} == {True, False}
    for sample in drawn:
        assert bool((sample["weight"] > 0).any()) == bool(sample["paired"])
    plain = SampleByNumber(replace(data, pseudo_pairs=[]), load_config(None, heads))
    assert "rough" not in plain[0] and not plain[0]["paired"]


@pytest.mark.parametrize("settings", [{"pseudo_pairs": "none"}, {"method": "cut"}])
def test_none_are_made_where_none_are_wanted(heads, settings, tmp_path):
    data = prepare_data(load_config(None, heads | settings), tmp_path / "cache")
    assert data.pseudo_pairs == []


def test_slabs_are_left_alone_with_a_sentence(tiny, tmp_path):
    said: list[str] = []
    assert (
        prepare_data(load_config(None, tiny | {"pseudo_pairs": "auto"}), tmp_path / "cache", said.append).pseudo_pairs
        == []
    )
    assert any(line.startswith("No pseudo-pairs: the volumes of the source are pictures or slabs") for line in said)


def test_what_does_not_fit_is_refused_and_not_tried_again(heads, tmp_path):
    random = np.random.default_rng(0)
    for name in "cd":
        image = sitk.GetImageFromArray(random.uniform(300, 2000, (40, 60, 52)).astype(np.float32))
        image.SetSpacing((2.0, 2.0, 3.0))
        sitk.WriteImage(image, str(heads["target"] / f"{name}.nii.gz"))
    said: list[str] = []
    config = load_config(None, heads)
    assert prepare_data(config, tmp_path / "cache", said.append).pseudo_pairs == []
    assert any("no volume fits another" in line for line in said)
    assert len(list((tmp_path / "cache").glob("*.refused"))) == 4


def item(name: str) -> CachedItem:
    return CachedItem(name, Path(f"{name}.npy"), 1.0, np.arange(9), (0, 9, 0, 9), LANDMARKS, {})


def test_the_plan_spreads_targets_and_keeps_masked_ones_together():
    source = [item("s1"), item("s2"), item("s1 (masked)")]
    target = [item(f"t{n}") for n in range(8)] + [item("t0 (masked)")]
    plan = planned(source, target)
    assert len(plan) == 2 * PARTNERS + 1
    assert [b.name for a, b in plan if a.name == "s1"] == ["t0", "t2", "t4", "t6"]
    assert [b.name for a, b in plan if a.name == "s2"] == ["t1", "t3", "t5", "t7"]
    assert [b.name for a, b in plan if a.name == "s1 (masked)"] == ["t0 (masked)"]
    many = planned([item(f"s{n}") for n in range(MOST + 5)], target)
    assert len(many) == MOST + 5  # one each
