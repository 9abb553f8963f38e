"""Scans of many sites as they are prepared."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from tiny_training import disc_volume
from tissue_phantom import T1W_LEVELS, tissue_phantom

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.recognise.verdict import recognise
from surgical_style_engine.volumes.volume import Volume
from training_cli.training.config import load_config
from training_cli.training.data.many.sites import inside_of
from training_cli.training.data.prepare_any import prepare_any


@pytest.fixture
def settings(tmp_path):
    """Three sites whose files have the same names: they belong together by nothing."""
    for site, count in {"south": 2, "north": 3, "east": 2}.items():
        (tmp_path / site).mkdir()
        for number in range(count):
            sitk.WriteImage(disc_volume(number, inverted=False), str(tmp_path / site / f"p{number}.nii.gz"))
    return {
        "method": "many-to-one",
        "domains": {site: tmp_path / site for site in ("south", "north", "east")},
        "reference": "north",
        "output": tmp_path / "run",
        "max_steps": 2,
        "patch_size": 32,
    }


def test_every_scan_is_alone_and_the_reference_is_first(settings, tmp_path):
    config, told = load_config(None, settings), []
    data = prepare_any(config, tmp_path / "cache", told.append)
    assert data.names == ("north", "south", "east") and [len(data.items(site)) for site in data.names] == [3, 2, 2]
    assert all(len(group) == 1 for group in data.groups) and not data.pairs
    assert len(data.source) == 7 and data.target == data.items("north")
    assert told[0] == "1/7: north, p0.nii.gz"
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    again = prepare_any(config, tmp_path / "cache")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == before
    assert [item.path for item in again.source] == [item.path for item in data.source]


def test_grey_values_are_compared_inside_the_brain_alone():
    whole = tissue_phantom(whole=True)
    inside = inside_of(whole, replace(recognise(whole), extracted=False))
    scalp = whole.array[0] > T1W_LEVELS["white"] + 300
    assert inside.shape == scalp.shape and inside.sum() > 5000 and not (inside & scalp).any()


def test_where_there_is_no_brain_the_body_counts():
    array = np.zeros((1, 8, 30, 30), np.float32)
    array[:, :, 10:20, 10:20] = 100.0
    volume = Volume(array)
    assert np.array_equal(inside_of(volume, recognise(volume)), body_mask(volume))


def drop(folder):
    (folder / "east" / "p1.nii.gz").unlink()


def empty(folder):
    drop(folder)
    (folder / "east" / "p0.nii.gz").unlink()


def inside_another(folder):
    (folder / "east").rename(folder / "south" / "east")
    (folder / "east").symlink_to(folder / "south" / "east")


def colour(folder):
    values = np.random.default_rng(0).integers(0, 255, (4, 40, 40, 3), np.uint8)
    image = sitk.GetImageFromArray(values, isVector=True)
    sitk.WriteImage(image, str(folder / "east" / "p1.nii.gz"))


def nearly_blank(folder):
    array = np.zeros((4, 40, 40), np.float32)
    array[2, 20, 20] = 1.0  # less body than a slice needs
    image = sitk.GetImageFromArray(array)
    sitk.WriteImage(image, str(folder / "east" / "p1.nii.gz"))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (drop, r"The site east has one volume \(p0.nii.gz\); 2 are the least"),
        (empty, "The folder .*east of the site east holds no image that matches '\\*'"),
        (inside_another, "belongs to two sites, south and east"),
        (colour, "p1.nii.gz is in colour"),
        (nearly_blank, "The site east has fewer than 2 volumes with anything in them"),
    ],
)
def test_too_little_is_refused(settings, tmp_path, change, part):
    change(tmp_path)
    with pytest.raises(InputError, match=part):
        prepare_any(load_config(None, settings), tmp_path / "cache")
