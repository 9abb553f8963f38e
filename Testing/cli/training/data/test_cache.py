from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from tiny_training import disc_volume

from surgical_style_engine.errors import InputError
from training_cli.training.config import load_config
from training_cli.training.data.files import Masks, read_pairs, training_files
from training_cli.training.data.items import typical_landmarks
from training_cli.training.data.prepare import prepare_data


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
    (discs / "source" / "a.nii.gz").rename(discs / "source" / "p1_T1.nii.gz")
    image = sitk.ReadImage(str(discs / "source" / "p1_T1.nii.gz"))
    mask = sitk.Cast(image > 500, sitk.sitkUInt8)
    sitk.WriteImage(mask, str(discs / "source" / "p1_brainmask.nii.gz"))
    assert Masks().find(discs / "source" / "p1_T1.nii.gz").name == "p1_brainmask.nii.gz"
    assert Masks().find(discs / "source" / "b.nii.gz") is None
    (discs / "source" / "p1_T1.nii.gz").rename(discs / "source" / "p1_2_T1.nii.gz")
    assert Masks().find(discs / "source" / "p1_2_T1.nii.gz") is None, "of patient p1, not of p1_2"
    (discs / "source" / "p1_2_T1.nii.gz").rename(discs / "source" / "p1_T1.nii.gz")
    said = []
    data = prepare_data(load_config(None, tiny | {"masks": True}), tmp_path / "cache", said.append)
    assert [line for line in said if "without a mask" in line and "source" not in line] == [
        f"without a mask, as none beside it has a fitting name: {name}.nii.gz" for name in "bc"
    ]
    names = sorted(i.name for i in data.source)
    assert names == ["b.nii.gz", "c.nii.gz", "p1_T1.nii.gz", "p1_T1.nii.gz (masked)"]
    whole, masked = (next(i for i in data.source if i.name == n).load() for n in names[2:])
    assert (masked > -0.9).sum() < (whole > -0.9).sum()


def test_a_mask_named_like_its_volume_needs_no_patient_in_its_name(tmp_path):
    for name in ("T1", "T1_mask", "mr", "mr_brainmask", "T2"):
        (tmp_path / f"{name}.nii.gz").write_bytes(b"")
    assert Masks().find(tmp_path / "T1.nii.gz").name == "T1_mask.nii.gz"
    assert Masks().find(tmp_path / "mr.nii.gz").name == "mr_brainmask.nii.gz"
    assert Masks().find(tmp_path / "T2.nii.gz") is None


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


def test_where_the_targets_field_of_view_has_ended_a_pair_shows_nothing(tiny, discs, pairs, tmp_path):
    path = discs / "target" / "a.nii.gz"
    sitk.WriteImage(sitk.ReadImage(str(path))[:, :, :3], str(path))
    (a, b), _ = prepare_data(load_config(None, tiny | {"pairs": pairs}), tmp_path / "cache").pairs
    assert list(a.body) == [0, 1, 2] and np.ptp(np.asarray(b.load()[0, 3], np.float32)) < 0.02


def test_registered_pairs_come_with_a_picture_to_check(tiny, discs, tmp_path):
    """A target that was moved by 3 mm lies on its source again."""
    for side in ("source", "target"):
        image = disc_volume(0, inverted=side == "target", slices=8)
        if side == "target":
            image.SetOrigin((3.0, -2.0, 0.0))
        sitk.WriteImage(image, str(discs / f"{side}.nii.gz"))
    (discs / "pairs.csv").write_text("source.nii.gz,target.nii.gz\n")
    settings = tiny | {"pairs": discs / "pairs.csv"}
    ((_, apart),) = prepare_data(load_config(None, settings), tmp_path / "run" / "cache").pairs
    config = load_config(None, settings | {"register_pairs": True})
    ((a, b),) = prepare_data(config, tmp_path / "run" / "cache").pairs

    def overlap(item) -> float:
        first, second = (np.asarray(i.load()[0, 4], np.float32) > -0.7 for i in (a, item))
        return (first & second).sum() / (first | second).sum()

    assert overlap(b) > 0.95 > 0.9 > overlap(apart)
    picture = np.asarray(Image.open(tmp_path / "run" / "pairs" / "source+target.png"))
    assert picture.shape[0] > 500 and picture.std() > 5


def test_pairs_may_be_a_folder_with_equal_names(discs):
    found = read_pairs(discs)
    assert [(a.parent.name, b.parent.name, a.name) for a, b in found] == [
        ("source", "target", "a.nii.gz"),
        ("source", "target", "b.nii.gz"),
    ]
    with pytest.raises(InputError, match="two subfolders"):
        read_pairs(discs / "source")


def test_a_dicom_series_is_one_volume(tiny, discs, tmp_path, shared_data):
    import shutil

    folder = discs / "target" / "series"
    folder.mkdir()
    for path in sorted((shared_data / "dicom" / "vs-seg-001").glob("*.dcm"))[:5]:
        shutil.copy(path, folder)
    config = load_config(None, tiny | {"exclude": "nii", "source": discs / "target"})
    assert [path.name for path in training_files(config, "source")] == ["series"]
    (item,) = prepare_data(config, tmp_path / "cache").source
    assert item.name == "series" and item.load().shape[1] == 5


def test_neither_the_run_folder_nor_masks_are_training_images(tiny, discs):
    run = discs / "run"
    (run / "samples").mkdir(parents=True)
    Image.new("L", (40, 40)).save(run / "samples" / "step-00000001.png")
    sitk.WriteImage(disc_volume(0, inverted=False), str(discs / "source" / "a_mask.nii.gz"))
    settings = tiny | {"source": discs, "output": run}

    def names(**change) -> list[str]:
        return [path.name for path in training_files(load_config(None, settings | change), "source")]

    assert names(masks=True) == [f"{name}.nii.gz" for name in ("a", "b", "c", "a", "b")]
    assert "a_mask.nii.gz" in names()
    assert Masks().find(discs / "source" / "a.nii.gz").name == "a_mask.nii.gz"


@pytest.mark.parametrize("name", ["*.npy", "*.json"])
@pytest.mark.parametrize("content", ["half", "none", "other"])
def test_what_a_disk_has_damaged_is_made_anew(tiny, tmp_path, name, content):
    config, cache = load_config(None, tiny), tmp_path / "cache"
    before = prepare_data(config, cache)
    arrays = [np.array(item.load()) for item in before.source + before.target]
    for path in cache.glob(name):
        whole = path.read_bytes()
        path.write_bytes({"half": whole[: len(whole) // 2], "none": b"", "other": b"[1, 2]"}[content])
    after = prepare_data(config, cache)
    for array, item in zip(arrays, after.source + after.target, strict=True):
        assert np.array_equal(array, item.load())


def test_what_pairs_teach_is_divided_by_its_field_before_training(tiny, discs, tmp_path):
    for side in ("source", "target"):
        path = discs / side / "a.nii.gz"
        image = sitk.ReadImage(str(path))
        array = sitk.GetArrayFromImage(image).astype(np.float32)
        array *= np.linspace(0.7, 1.4, array.shape[2])  # a coil on the left
        changed = sitk.GetImageFromArray(array)
        changed.CopyInformation(image)
        sitk.WriteImage(changed, str(path))
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("data/source/a.nii.gz,data/target/a.nii.gz\n")

    def pair(folder, **changed):
        config = load_config(None, tiny | {"pairs": pairs, **changed})
        (items,) = prepare_data(config, tmp_path / folder).pairs
        return [item.load()[0].astype(np.float32) + 1 for item in items]

    def taken_away(flat, raw):
        """Logarithm of the field, from left to right: 0.69 were put in."""
        body = raw > 0.4 * raw.max()
        return np.polyfit(np.nonzero(body)[2] / body.shape[2], np.log(raw[body] / flat[body]), 1)[0]

    raw, one_way, both_ways = (
        pair("raw"),
        pair("one", method="paired", flatten_pairs=True),
        pair("both", method="cyclegan", flatten_pairs=True),
    )
    assert (one_way[0] == raw[0]).all(), "nothing is learned of the source"
    for flat, unflattened in ((one_way[1], raw[1]), (both_ways[0], raw[0]), (both_ways[1], raw[1])):
        assert 0.35 < taken_away(flat, unflattened) < 1
    with pytest.raises(InputError, match="flatten_pairs needs pairs of a source and a target"):
        load_config(None, tiny | {"flatten_pairs": True})


def test_a_pair_that_has_no_field_is_named(tiny, discs, tmp_path):
    path = discs / "target" / "a.nii.gz"
    image = sitk.ReadImage(str(path))
    sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat32) - 1500, str(path))
    (tmp_path / "pairs.csv").write_text("data/source/a.nii.gz,data/target/a.nii.gz\n")
    config = load_config(None, tiny | {"pairs": tmp_path / "pairs.csv", "method": "paired", "flatten_pairs": True})
    with pytest.raises(InputError, match="a.nii.gz: The volume is in HU"):
        prepare_data(config, tmp_path / "cache")
