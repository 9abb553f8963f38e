from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from surgical_style_engine.errors import InputError

from training_cli.training.cache import find_mask, prepare_data, read_pairs, typical_landmarks
from training_cli.training.config import load_config


def test_volumes_become_normalised_memory_maps_that_are_reused(tiny, tmp_path):
    config = load_config(None, tiny)
    first = prepare_data(config, tmp_path / "cache")
    assert (len(first.source), len(first.target), first.pairs) == (3, 2, [])
    array = first.source[0].load()
    assert isinstance(array, np.memmap) and array.shape == (1, 4, 40, 40) and array.dtype == np.float16
    assert -1 <= array.min() and array.max() <= 1
    assert first.source[0].slice_mm == pytest.approx(3.0) and list(first.source[0].body) == [0, 1, 2, 3]
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").iterdir()}
    prepare_data(config, tmp_path / "cache")
    assert stamps == {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").iterdir()}


def test_empty_and_constant_slices_never_reach_a_network(tiny, discs, tmp_path):
    path = discs / "source" / "a.nii.gz"
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    array[1], array[2] = 0, 500
    changed = sitk.GetImageFromArray(array)
    changed.CopyInformation(image)
    sitk.WriteImage(changed, str(path))
    data = prepare_data(load_config(None, tiny), tmp_path / "cache")
    assert list(next(i for i in data.source if i.name == "a.nii.gz").body) == [0, 3]


def test_registered_pairs_share_a_grid_and_say_where_they_are_valid(tiny, discs, tmp_path):
    path = discs / "target" / "a.nii.gz"
    image = sitk.ReadImage(str(path))
    sitk.WriteImage(image[:30], str(path))  # a smaller field of view
    (tmp_path / "pairs.csv").write_text("source,target\na.nii.gz,a.nii.gz\n")
    with pytest.raises(InputError, match="does not exist"):
        read_pairs(tmp_path / "pairs.csv")
    (tmp_path / "pairs.csv").write_text("source,target\nsource/a.nii.gz,target/a.nii.gz\n")
    config = load_config(None, tiny | {"source": discs / "source", "pairs": tmp_path / "pairs.csv"})
    (tmp_path / "pairs.csv").write_text("data/source/a.nii.gz,data/target/a.nii.gz\n")
    ((a, b),) = prepare_data(config, tmp_path / "cache").pairs
    assert a.load().shape == b.load().shape == (1, 4, 40, 40)
    valid = b.load_valid()
    assert valid[:, :, :28].all() and not valid[:, :, 32:].any()


def test_masks_beside_a_volume_add_a_masked_copy(tiny, discs, tmp_path):
    for name in ("p1_T1.nii.gz", "p12_T1.nii.gz"):
        (discs / "source" / "a.nii.gz").rename(discs / "source" / name) if name == "p1_T1.nii.gz" else None
    image = sitk.ReadImage(str(discs / "source" / "p1_T1.nii.gz"))
    mask = sitk.Cast(image > 500, sitk.sitkUInt8)
    sitk.WriteImage(mask, str(discs / "source" / "p1_brainmask.nii.gz"))
    assert find_mask(discs / "source" / "p1_T1.nii.gz").name == "p1_brainmask.nii.gz"
    assert find_mask(discs / "source" / "b.nii.gz") is None
    data = prepare_data(load_config(None, tiny | {"masks": True, "exclude": "brainmask"}), tmp_path / "cache")
    names = sorted(i.name for i in data.source)
    assert names == ["b.nii.gz", "c.nii.gz", "p1_T1.nii.gz", "p1_T1.nii.gz (masked)"]
    whole, masked = (next(i for i in data.source if i.name == n).load() for n in names[2:])
    assert (masked > -0.9).sum() < (whole > -0.9).sum()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": "absent"}, "does not exist"),
        ({"pattern_source": "*.mha"}, "No source image"),
        ({"pairs": "absent.csv"}, "do not exist"),
    ],
)
def test_missing_data_is_one_sentence(tiny, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        prepare_data(load_config(None, tiny | change), tmp_path / "cache")


def test_an_empty_volume_stops_the_preparation_and_names_itself(tiny, discs, tmp_path):
    image = sitk.ReadImage(str(discs / "source" / "a.nii.gz")) * 0
    sitk.WriteImage(image, str(discs / "source" / "a.nii.gz"))
    with pytest.raises(InputError):
        prepare_data(load_config(None, tiny), tmp_path / "cache")


def test_typical_landmarks_lie_between_those_of_the_volumes(tiny, tmp_path):
    items = prepare_data(load_config(None, tiny), tmp_path / "cache").source
    high = sorted(i.landmarks["high"] for i in items)
    assert high[0] <= typical_landmarks(items).high <= high[-1]
