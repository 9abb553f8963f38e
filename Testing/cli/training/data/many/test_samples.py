"""Samples of groups, and the groups as they are prepared."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from tiny_training import disc_volume

from surgical_style_engine.errors import InputError
from training_cli.training.config import load_config
from training_cli.training.data.dataset import samples_of
from training_cli.training.data.many.prepare import body_of, prepare_many


@pytest.fixture
def settings(tmp_path):
    """Three domains: p0 has all, p1 lacks FLAIR, the others are alone."""
    for domain, patients in {"T1w": "012", "T2w": "01", "FLAIR": "08"}.items():
        (tmp_path / domain).mkdir()
        for patient in patients:
            image = disc_volume(int(patient), inverted=domain == "T2w")
            sitk.WriteImage(image, str(tmp_path / domain / f"p{patient}.nii.gz"))
    return {
        "method": "multi-domain",
        "domains": {domain: tmp_path / domain for domain in ("T1w", "T2w", "FLAIR")},
        "output": tmp_path / "run",
        "max_steps": 2,
        "patch_size": 32,
    }


def test_groups_are_cached_and_used_again(settings, tmp_path):
    config, told = load_config(None, settings), []
    data = prepare_many(config, tmp_path / "cache", told.append)
    assert [sorted(group) for group in data.groups] == [["FLAIR", "T1w", "T2w"], ["T1w", "T2w"], ["T1w"], ["FLAIR"]]
    assert [len(data.items(name)) for name in data.names] == [3, 2, 2] and "of 2 there are registered" in told[-1]
    assert data.source == data.items("T1w") and data.target == data.items("T2w")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    again = prepare_many(config, tmp_path / "cache")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == before
    assert [{name: item.path for name, item in group.items()} for group in again.groups] == [
        {name: item.path for name, item in group.items()} for group in data.groups
    ]
    assert len(body_of(data.groups[0])) == 4


def test_a_volume_elsewhere_is_taken_alone(settings, tmp_path):
    image = disc_volume(0, inverted=True)
    array = np.random.default_rng(0).normal(size=(5, 50, 50)).astype(np.float32)
    image = sitk.GetImageFromArray(array)
    sitk.WriteImage(image, str(tmp_path / "T2w" / "p0.nii.gz"))
    told = []
    data = prepare_many(load_config(None, settings), tmp_path / "cache", told.append)
    assert ["T2w"] in [sorted(group) for group in data.groups]
    assert any("does not lie over p0.nii.gz" in line for line in told)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda folder: (folder / "T2w" / "p1.nii.gz").unlink(), r"The domain T2w has one volume \(p0.nii.gz\)"),
        (lambda folder: (folder / "T2w").rename(folder / "gone"), "The folder .*T2w of the domain T2w does not exist"),
        (
            lambda folder: [path.unlink() for path in (folder / "T2w").iterdir()],
            r"The folder .*T2w of the domain T2w holds no image that matches '\*'",
        ),
    ],
)
def test_too_little_is_refused(settings, tmp_path, change, part):
    change(tmp_path)
    with pytest.raises(InputError, match=part):
        prepare_many(load_config(None, settings), tmp_path / "cache")


def test_samples_are_numbered_and_say_what_is_known(settings, tmp_path):
    config = load_config(None, settings)
    samples = samples_of(prepare_many(config, tmp_path / "cache"), config)
    seen = set()
    for number in range(24):
        sample = samples[number]
        assert {key: tuple(value.shape) for key, value in sample.items()} == {
            "images": (3, 3, 32, 32),
            "clean": (3, 3, 32, 32),
            "known": (3,),
            "weight": (1, 32, 32),
        }
        known = sample["known"]
        seen.add(tuple(known.tolist()))
        assert (sample["clean"][~known] == -1).all() and sample["clean"][known].std() > 0.1
        assert sample["images"].abs().max() <= 1 and not torch.equal(sample["images"], sample["clean"])
    assert seen == {(True, True, True), (True, True, False), (True, False, False), (False, False, True)}
    assert all(torch.equal(value, samples[3][key]) for key, value in samples_of(samples.data, config)[3].items())


def test_what_belongs_together_is_moved_together(settings, tmp_path):
    """Without noise of their own, the inverted disc stays where the disc is."""
    config = load_config(None, settings | {"randomise": "none"})
    samples = samples_of(prepare_many(config, tmp_path / "cache"), config)
    sample = next(samples[n] for n in range(50) if samples[n]["known"][:2].all())
    first, second = sample["clean"][0, 1] > -0.8, sample["clean"][1, 1] > -0.8
    assert (first == second).float().mean() > 0.97
